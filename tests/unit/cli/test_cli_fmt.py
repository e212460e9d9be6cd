"""`engage fmt` and `engage schema`, as they are called."""

import json
import shutil

import pytest

from engage.cli.app import main
from engage.cli.shipped import ROOT

UNTIDY = "journey:   试\nstart: {event: member_created}\nsteps:\n- send: welcome   # 你好\n"
TIDY = "journey: 试\nstart: { event: member_created }\nsteps:\n  - send: welcome  # 你好\n"


@pytest.fixture
def engage(capsys):
    """Runs one command in this process; gives exit code, stdout and stderr."""

    def run(*args):
        with pytest.raises(SystemExit) as ended:
            main(["--lang", "en", *map(str, args)])
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


@pytest.fixture
def project(tmp_path, monkeypatch):
    for folder in ("journeys", "templates"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_shipped_project_is_laid_out(engage):
    code, out, _ = engage("fmt", "--check", ROOT)
    assert (code, out) == (0, f"0 of {len(list((ROOT / 'journeys').glob('*.yaml')))} files would change\n")


def test_a_file_is_written_once(engage, tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(UNTIDY, encoding="utf-8")
    assert engage("fmt", file)[:2] == (0, f"✎ {file}\n1 of 1 files changed\n")
    assert file.read_text(encoding="utf-8") == TIDY
    assert engage("fmt", file)[:2] == (0, "0 of 1 files changed\n")


def test_check_changes_nothing_and_shows_what_would(engage, tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text(UNTIDY, encoding="utf-8")
    code, out, _ = engage("fmt", "--check", "--diff", tmp_path)
    assert code == 1
    assert "-- send: welcome   # 你好" in out.splitlines()
    assert "+  - send: welcome  # 你好" in out.splitlines()
    assert out.splitlines()[-1] == "1 of 1 files would change"
    assert file.read_text(encoding="utf-8") == UNTIDY


def test_fix_mends_by_the_projects_own_words(engage, project):
    file = project / "journeys" / "welcome.yaml"
    right = file.read_text(encoding="utf-8")
    file.write_text(
        right.replace("wait: 2d at 10:00", "wait： 2d at 10：00").replace("within: 14d", "within: 14天"),
        encoding="utf-8",
    )
    assert engage("check")[0] == 1
    assert engage("fmt", "--fix")[0] == 0
    assert file.read_text(encoding="utf-8") == right
    assert engage("check")[0] == 0


def test_fix_mends_tests_and_catalog_as_well(engage, project):
    for name, right, wrong in (
        ("winback.test.yaml", "via: wechat", "via: WeChat"),
        ("catalog.yaml", "within: 30d", "within: 30天"),
    ):
        file = project / "journeys" / name
        source = file.read_text(encoding="utf-8")
        assert right in source
        file.write_text(source.replace(right, wrong), encoding="utf-8")
        assert engage("fmt", "--fix", file)[0] == 0
        assert file.read_text(encoding="utf-8") == source


def test_ids_are_written_down(engage, project):
    assert engage("fmt", "--ids", project / "journeys" / "welcome.yaml")[0] == 0
    assert "  - send: welcome_guide\n    id: welcome_guide\n" in (project / "journeys/welcome.yaml").read_text("utf-8")
    assert engage("check")[0] == 0


@pytest.mark.parametrize("content", [b"journey: [\n", b"\xff\xfe", "journey: 茶\n".encode("gbk"), b""])
def test_what_cannot_be_read_is_told_and_left_alone(engage, tmp_path, content):
    file = tmp_path / "odd.yaml"
    file.write_bytes(content)
    code, out, err = engage("fmt", "--fix", file)
    assert code == 1
    assert "odd.yaml" in out
    assert "1 cannot be read, and were left alone" in out
    assert "Traceback" not in out + err
    assert file.read_bytes() == content


def test_a_path_that_does_not_exist_is_wrong_usage(engage):
    assert engage("fmt", "no/such.yaml")[::2] == (2, "engage: no/such.yaml does not exist\n")


# --- schema -----------------------------------------------------------------------------------------------------


def test_schemas_are_written_where_the_first_line_of_a_journey_looks_for_them(engage, project):
    code, out, _ = engage("schema")
    assert code == 0
    for path in (project / "journeys").glob("*.yaml"):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        named = first.removeprefix("# yaml-language-server: $schema=")
        assert (path.parent / named).is_file(), path.name
        assert str((path.parent / named).resolve()) in out
    assert (project / ".engage" / ".gitignore").read_text() == "*\n"


def test_a_schema_offers_the_projects_own_words(engage, project):
    (project / "templates" / "spring_tea.wechat.j2").write_text("春茶到了", encoding="utf-8")
    code, out, _ = engage("schema", "--print", "journey")
    schema = json.loads(out)
    assert code == 0
    assert not (project / ".engage").exists()
    assert "spring_tea" in schema["definitions"]["template"]["enum"]
    assert "沉睡90天" in schema["definitions"]["condition"]["properties"]["segment"]["enum"]


def test_a_check_brings_schemas_up_to_date_where_there_are_some(engage, project):
    assert engage("check")[0] == 0
    assert not (project / ".engage").exists()
    engage("schema")
    (project / "templates" / "spring_tea.wechat.j2").write_text("春茶到了", encoding="utf-8")
    engage("check")
    assert "spring_tea" in (project / ".engage" / "journey.schema.json").read_text(encoding="utf-8")


def test_a_schema_that_is_right_is_not_written_again(engage, project):
    engage("schema")
    file = project / ".engage" / "journey.schema.json"
    before = file.stat().st_mtime_ns
    engage("check")
    assert file.stat().st_mtime_ns == before


def test_without_a_catalog_there_is_no_schema(engage, project):
    (project / "journeys" / "catalog.yaml").write_text("- a\n", encoding="utf-8")
    assert engage("schema")[::2] == (4, "engage: the catalog cannot be read; see `engage check`\n")


def test_a_new_project_has_its_schemas(engage, tmp_path):
    assert engage("init", tmp_path / "shop")[0] == 0
    names = {path.name for path in (tmp_path / "shop" / ".engage").iterdir()}
    assert names == {".gitignore", "journey.schema.json", "test.schema.json", "catalog.schema.json"}
