"""`Told`: one word of the language, explained to whoever writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engage.core.problem import Lang, Said


@dataclass(frozen=True, slots=True)
class Told:
    said: Said
    example: str = ""  # YAML, as it would be written

    def plain(self, lang: Lang) -> str:
        return self.said.in_(lang)

    def markdown(self, lang: Lang) -> str:
        return f"{self.said.in_(lang)}\n\n```yaml\n{self.example}\n```" if self.example else self.said.in_(lang)


Manual = Mapping[str, Told]


def told(en: str, zh: str, example: str = "") -> Told:
    return Told(Said(en, zh), example)
