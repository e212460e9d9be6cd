"""The language of the answers: `--lang`, else the config's, else the system's.

Found without the rest of the config, and before the command line is understood: a command must be able to complain
about both in the right language.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import yaml

from engage.cli.options import GlobalOptions
from engage.core.problem import Lang

CONFIG_NAME = "config.yaml"


def spoken(options: GlobalOptions) -> Lang:
    path = options.config or nearest_config(Path.cwd())
    return Lang(options.lang or _configured_lang(path) or system_lang(os.environ))


def asked_for(args: Sequence[str]) -> GlobalOptions:
    """What a command line says of language and config, however wrong the rest of it is."""
    given = dict(arg.split("=", 1) for arg in args if arg.startswith("--") and "=" in arg)
    given |= {option: value for option, value in pairwise(args) if option in ("--lang", "--config")}
    lang, config = given.get("--lang"), given.get("--config")
    return GlobalOptions(Path(config) if config else None, lang if lang in list(Lang) else None)


def nearest_config(folder: Path) -> Path | None:
    return next((path for up in (folder, *folder.parents) if (path := up / CONFIG_NAME).is_file()), None)


def system_lang(environment: Mapping[str, str]) -> Lang:
    """As POSIX has it: LC_ALL over LC_MESSAGES over LANG."""
    named = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return Lang.ZH if next((value for value in named if value), "").lower().startswith("zh") else Lang.EN


def _configured_lang(path: Path | None) -> str | None:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8")) if path is not None else None
    except (OSError, ValueError, yaml.YAMLError):
        return None
    lang = raw.get("lang") if isinstance(raw, dict) else None
    return lang if lang in list(Lang) else None
