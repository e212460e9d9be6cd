"""`engage schema`: JSON Schemas of a project's files, for editors; and what keeps them fresh."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from engage.cli.ending import Refusal
from engage.cli.invocation import Invocation
from engage.cli.screen import print_json
from engage.content.project import CATALOG, JOURNEYS, project_files
from engage.content.template import FOLDER, LAYOUTS, SUFFIX
from engage.core.journey.reading import read_catalog
from engage.core.problem import Lang
from engage.core.testfile.reading import SUFFIX as TEST_SUFFIX
from engage.editor.schema.catalog import catalog_schema
from engage.editor.schema.journeys import journey_schema
from engage.editor.schema.parts import Schema, Setting
from engage.editor.schema.testfiles import testfile_schema

SCHEMA_FOLDER = ".engage"


def schema(
    ctx: typer.Context,
    printed: Annotated[
        Literal["journey", "test", "catalog"] | None, typer.Option("--print", help="Print this one instead.")
    ] = None,
) -> None:
    """Write JSON Schemas for your editor.

    Into .engage/ of the project; the first line of a journey names them. An editor with a YAML language server then
    completes verbs, fields, events and templates, explains each word, and underlines mistakes as they are typed. Made
    for this project: `engage check` and `engage fmt` bring them up to date when catalog or templates change.

    Examples:
      engage schema
      engage --lang zh schema
      engage schema --print journey

    Exit codes: 0 done · 4 the catalog cannot be read
    """
    inv = Invocation.of(ctx)
    folder = inv.folder_of_journeys
    schemas = schemas_of(project_files(folder)[0], inv.lang)
    if schemas is None:
        raise Refusal(
            inv.screen.word("the catalog cannot be read; see `engage check`", "目录无法读取，请看 `engage check`")
        )
    if printed is not None:
        print_json(schemas[printed])
        return
    write_schemas(folder, inv.lang)
    for name in schemas:
        inv.screen.line(f"✓ {_place(folder, name)}")


def keep_schemas(folders: Iterable[Path], lang: Lang) -> None:
    """Bring them up to date where there are some. Editors can do without; so nothing here stops a command."""
    for folder in folders:
        if (folder / SCHEMA_FOLDER).is_dir():
            with suppress(OSError):
                write_schemas(folder, lang)


def write_schemas(folder: Path, lang: Lang) -> None:
    """Only what has changed, so that editors need not read it again. The folder is kept out of git: it is made from
    the other files."""
    (folder / SCHEMA_FOLDER).mkdir(exist_ok=True)
    files = {folder / SCHEMA_FOLDER / ".gitignore": "*\n"}
    for name, found in (schemas_of(project_files(folder)[0], lang) or {}).items():
        files[_place(folder, name)] = json.dumps(found, ensure_ascii=False)
    for path, text in files.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _place(folder: Path, name: str) -> Path:
    return folder / SCHEMA_FOLDER / f"{name}.schema.json"


def schemas_of(sources: Mapping[str, str], lang: Lang) -> dict[str, Schema] | None:
    """Of a project's files, by kind: journey, test, catalog. None if there is no catalog to make them from."""
    catalog, _ = read_catalog(sources.get(CATALOG, ""), CATALOG)
    if catalog is None:
        return None
    setting = Setting(catalog, _templates(sources), _journeys(sources), lang)
    made = {"journey": journey_schema, "test": testfile_schema, "catalog": catalog_schema}
    return {name: {**_HEAD, **make(setting)} for name, make in made.items()}


_HEAD: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#"}


def _templates(sources: Iterable[str]) -> tuple[str, ...]:
    files = (path for path in sources if path.startswith(FOLDER) and not path.startswith(LAYOUTS))
    return tuple(sorted({path.removeprefix(FOLDER).removesuffix(SUFFIX).rpartition(".")[0] for path in files}))


def _journeys(sources: Iterable[str]) -> tuple[str, ...]:
    files = (path for path in sources if path.startswith(JOURNEYS) and path != CATALOG)
    return tuple(
        sorted(path.removeprefix(JOURNEYS).removesuffix(".yaml") for path in files if not path.endswith(TEST_SUFFIX))
    )
