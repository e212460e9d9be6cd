"""`make bench`: measures Engage beside something, section by section.

    make bench                              everything, about an hour
    make bench ARGS="steps sending"         only these
    make bench ARGS="--quick"               a look whether all of it still runs; writes nothing

Each section is a module of this folder with `TITLE`, `ABOUT` and `measure` (see `figures.Section`). What they found is
kept in `docs/benchmarks.json`, from which `docs/benchmarks.md` and its chart are made: a section measured today leaves
the others as they were. Nothing here fails for being slow; a goal that is missed is written down as missed.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import page
from tests.bench.figures import Figure, Measured, Scale, Section, keep, kept
from tests.bench.machine import machine

_DOCS = Path(__file__).parents[2] / "docs"
_SECTIONS = ("steps", "growth", "sending", "callbacks", "latency", "memory")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description="Measures Engage beside something.")
    parser.add_argument("sections", nargs="*", help=f"some of: {', '.join(_SECTIONS)}")
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing is written")
    asked = parser.parse_args()
    unknown = sorted(set(asked.sections) - set(_SECTIONS))
    if unknown:
        parser.error(f"there is no section {', '.join(unknown)}; there are {', '.join(_SECTIONS)}")
    for name in asked.sections or _SECTIONS:
        measured = _measure(name, quick=asked.quick)
        if not asked.quick:
            keep(_DOCS / "benchmarks.json", name, measured)
            found = kept(_DOCS / "benchmarks.json")
            page.write(_DOCS, {each: found[each] for each in _SECTIONS if each in found})


def _measure(name: str, *, quick: bool) -> Measured:
    section: Section = importlib.import_module(f"tests.bench.{name}")
    print(f"\n{section.TITLE}", flush=True)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix=f"engage-bench-{name}-") as folder:
        for figure in section.measure(Scale(quick, Path(folder))):
            figures.append(figure)
            print(f"  {_line(figure)}", flush=True)
    day = datetime.now(UTC).date().isoformat()
    return Measured(section.TITLE, section.ABOUT, day, machine(), quick, figures)


def _line(figure: Figure) -> str:
    ratio = f", {figure.ratio:.2f} × {figure.beside.what}" if figure.beside and figure.ratio is not None else ""
    met = {True: " ✓", False: " ✗", None: ""}[figure.met]
    how = f" ({figure.how})" if figure.how else ""
    return f"{figure.what}{how}: {figure.value:,.4g} {figure.unit}{ratio}{met}"


if __name__ == "__main__":
    main()
