"""What became of a file: counts, the first refusals, and the words for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engage.core.problem import Lang, Said
from engage.exchange.headers import Ignored
from engage.exchange.refusal import RowRefused

EXAMPLES = 10  # refusals shown; the file beside the imported one has them all


@dataclass(frozen=True, slots=True)
class ImportReport:
    """`read` = `accepted` + `repeated` + `refused`, in rows.

    `repeated`: an earlier import has said the same, so nothing changes. `examples`: the first refusals.
    `refused_file`: all of them; None if there are none, or if it could not be written. `unusable`: why nothing at all
    could be read.
    """

    file: str
    read: int = 0
    accepted: int = 0
    repeated: int = 0
    refused: int = 0
    examples: tuple[RowRefused, ...] = ()
    ignored_columns: tuple[Ignored, ...] = ()
    refused_file: Path | None = None
    unusable: Said | None = None


def describe(report: ImportReport, lang: Lang) -> str:
    """For people at the terminal. No phone number, address or name of a member is in it whole."""
    if report.unusable is not None:
        return f"{report.file}{'：' if lang is Lang.ZH else ': '}{report.unusable.in_(lang)}"
    return "\n".join([_counts(report).in_(lang), *_ignored(report, lang), *_refusals(report, lang)])


def as_data(report: ImportReport, lang: Lang) -> dict[str, Any]:
    """The same for scripts."""
    return {
        "file": report.file,
        "read": report.read,
        "accepted": report.accepted,
        "repeated": report.repeated,
        "refused": report.refused,
        "refused_rows": [{"row": row.row, "why": row.words(lang)} for row in report.examples],
        "refused_file": str(report.refused_file) if report.refused_file else None,
        "ignored_columns": [ignored.column for ignored in report.ignored_columns],
        "unusable": report.unusable.in_(lang) if report.unusable else None,
    }


def _counts(report: ImportReport) -> Said:
    en = f"{report.file}: {_rows(report.read)} read, {report.accepted:,} accepted"
    zh = f"{report.file}：读到 {report.read:,} 行，接收 {report.accepted:,} 行"
    if report.repeated:
        en += f", {report.repeated:,} known already (nothing changes)"
        zh += f"，{report.repeated:,} 行之前已导入过（不再改动）"
    if report.refused:
        en += f", {report.refused:,} refused"
        zh += f"，拒绝 {report.refused:,} 行"
    return Said(f"{en}.", f"{zh}。")


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _ignored(report: ImportReport, lang: Lang) -> Iterator[str]:
    if not report.ignored_columns:
        return
    yield Said("Columns that were not used:", "没有用到的列：").in_(lang)
    for ignored in report.ignored_columns:
        hint = ignored.hint.in_(lang) if ignored.hint else ""
        yield f"  {ignored.column}{f'  {hint}' if hint else ''}"


def _refusals(report: ImportReport, lang: Lang) -> Iterator[str]:
    if not report.refused:
        return
    yield Said("Refused:", "拒绝的行：").in_(lang)
    for row in report.examples:
        yield Said(f"  row {row.row}  {row.words(lang)}", f"  第 {row.row} 行  {row.words(lang)}").in_(lang)
    more = report.refused - len(report.examples)
    if more:
        yield Said(f"  … and {_rows(more)} more", f"  …… 另有 {more:,} 行").in_(lang)
    yield _where(report.refused_file).in_(lang)


def _where(file: Path | None) -> Said:
    if file is None:
        return Said(
            "The folder of the file cannot be written to, so there is no list of the refused rows.",
            "文件所在的文件夹无法写入，因此没有生成拒绝清单。",
        )
    return Said(
        f"All refused rows, with reasons, are in {file}: put them right there and import that file.",
        f"全部被拒的行和原因都在 {file}，改好后直接导入这个文件即可。",
    )
