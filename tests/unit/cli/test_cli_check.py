"""`engage check` of files that belong to no project, and of projects: every fault, at its place."""

import json
import shutil
from pathlib import Path

import pytest

from engage.cli.app import main
from engage.cli.shipped import ROOT

BAD = Path(__file__).parents[2] / "fixtures" / "bad"
# (code, line, column) of each fault; a_typo also has the faults of b_sem.
FAULTS = {
    "a_typo.yaml": {("E213", 7, 20), ("E210", 8, 5), ("E301", 3, 13), ("E320", 9, 5), ("E310", 14, 17)},
    "b_sem.yaml": {("E301", 3, 13), ("E306", 4, 8), ("E320", 8, 5), ("E310", 13, 17), ("E304", 14, 30)},
    "c_dash.yaml": {("E204", 5, 5), ("E203", 6, 5), ("E202", 7, 5)},
    "d_ime.yaml": {("E101", 1, 8), ("E104", 4, 11), ("E103", 7, 11)},
}


@pytest.fixture
def engage(capsys):
    """Runs one command in this process; gives exit code, stdout and stderr."""

    def run(*args):
        with pytest.raises(SystemExit) as ended:
            main(["--lang", "en", *map(str, args)])
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_each_fault_of_a_lone_file_is_found_at_its_place(engage, name):
    code, out, _ = engage("check", BAD / name, "--json")
    found = json.loads(out)
    assert code == 1
    assert {(p["code"], p["line"], p["column"]) for p in found["problems"]} == FAULTS[name]
    assert {p["file"] for p in found["problems"]} == {(BAD / name).as_posix()}
    assert found["errors"] == len(found["problems"])


def test_files_are_told_of_one_after_the_other_and_summed_up(engage):
    code, out, err = engage("check", *sorted(BAD.glob("*.yaml")))
    places = [line.split()[1].rsplit("/", 1)[1].split(":")[0] for line in out.splitlines() if "╭─" in line]
    assert code == 1
    assert places == sorted(places)
    assert out.splitlines()[-1] == f"{out.count('error[')} errors in 4 files"
    assert "Traceback" not in out + err


def test_underlines_stand_under_chinese_words(engage):
    _, out, _ = engage("check", BAD / "a_typo.yaml")
    lines = out.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("7 │     answer_within: 5天"))
    assert lines[place + 1].rstrip() == "  │                    ━━━"


def test_a_folders_own_catalog_holds_for_the_files_in_it(engage, tmp_path):
    catalog = (ROOT / "journeys" / "catalog.yaml").read_text(encoding="utf-8")
    (tmp_path / "catalog.yaml").write_text(catalog.replace("  city: text\n", "  town: text\n"), encoding="utf-8")
    journey = "journey: 试\nstart: { event: member_created }\naudience: { town: 福州 }\nsteps:\n  - send: welcome\n"
    (tmp_path / "town.yaml").write_text(journey, encoding="utf-8")
    assert engage("check", tmp_path / "town.yaml")[0] == 0
    (tmp_path / "town.yaml").write_text(journey.replace("town:", "city:"), encoding="utf-8")
    assert engage("check", tmp_path / "town.yaml")[0] == 1


def test_one_file_of_a_project_is_checked_with_the_project(engage, tmp_path):
    for folder in ("journeys", "templates"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    welcome = tmp_path / "journeys" / "welcome.yaml"
    welcome.write_text(welcome.read_text(encoding="utf-8").replace("welcome_guide", "welcom_guide"), encoding="utf-8")
    code, out, _ = engage("check", welcome)
    assert code == 1
    assert "did you mean `welcome_guide`?" in out
    assert engage("check", tmp_path / "journeys" / "nps.yaml")[0] == 0
    code, out, _ = engage("check", tmp_path)
    assert code == 1
    assert f"{tmp_path.as_posix()}/journeys/welcome.yaml:" in out


def test_the_shipped_project_has_no_problems(engage):
    code, out, _ = engage("check", ROOT, "--json")
    assert (code, json.loads(out)["problems"]) == (0, [])


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"steps: [", b"\x00", b"- a\n- b\n", "journey: 茶\n".encode("gbk")]
)
def test_no_content_makes_a_traceback(engage, tmp_path, content):
    (tmp_path / "odd.yaml").write_bytes(content)
    code, out, err = engage("check", tmp_path / "odd.yaml")
    assert code == 1
    assert "error[" in out
    assert "Traceback" not in out + err


def test_a_path_that_does_not_exist_is_wrong_usage(engage):
    code, _, err = engage("check", "no/such.yaml")
    assert (code, err) == (2, "engage: no/such.yaml does not exist\n")


@pytest.fixture
def project(tmp_path):
    for name in ("journeys", "templates"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "config.example.yaml", tmp_path / "config.yaml")
    return tmp_path


def found_in(engage, *args):
    _, out, _ = engage("check", *args, "--json")
    return [(p["file"], p["code"], p["line"], p["message"]) for p in json.loads(out)["problems"]]


def test_the_config_of_a_project_is_checked_at_the_place_of_each_key(engage, project):
    path = project / "config.yaml"
    text = (
        path.read_text("utf-8").replace("bounce_domain: bounce.", "bounce_domain: http://").replace("price:", "prise:")
    )
    path.write_text(text, "utf-8")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.strip().startswith(("bounce", "prise"))]
    found = found_in(engage, project)
    assert {(code, line) for _, code, line, _ in found} == {("E420", line) for line in lines}
    assert found_in(engage, path) == [("config.yaml", *rest) for _, *rest in found]


def test_a_cap_of_a_topic_that_is_unknown_is_told(engage, project):
    path = project / "config.yaml"
    path.write_text(path.read_text("utf-8").replace("    survey: [{", "    servey: [{"), "utf-8")
    ((file, code, _, message),) = found_in(engage, path)
    assert (file, code) == ("config.yaml", "E306")
    assert "servey" in message


def test_a_segment_that_looks_back_further_than_events_are_kept_is_told_where_they_are_let_go(engage, project):
    catalog, path = project / "journeys" / "catalog.yaml", project / "config.yaml"
    catalog.write_text(
        catalog.read_text("utf-8").replace("segments:\n", "segments:\n  买过: { did: order_paid }\n"), "utf-8"
    )
    path.write_text(path.read_text("utf-8").replace("  events: null\n", "  events: 400d\n"), "utf-8")
    place = path.read_text("utf-8").splitlines().index("  events: 400d") + 1
    told = [found for found in found_in(engage, project) if "买过" in found[3]]
    assert [found[:3] for found in told] == [(str(path), "E421", place)]
    assert engage("check", project)[0] == 0  # a warning


def test_secrets_that_are_not_here_are_no_mistake(engage, project):
    path = project / "config.yaml"
    path.write_text(path.read_text("utf-8").replace("example-wechat-secret", "env:NOWHERE_TO_BE_FOUND"), "utf-8")
    assert found_in(engage, path) == []


def test_a_behaviour_file_is_checked_as_one(engage, project):
    path = project / "simulate.yaml"
    path.write_text("people: { new_per_dya: 1% }\n", "utf-8")
    assert [found[:3] for found in found_in(engage, path)] == [("simulate.yaml", "E210", 1)]
    code, out, _ = engage("check", project / "config.yaml", project / "templates" / "welcome.sms.j2")
    assert (code, out.strip()) == (0, "✓ 2 files, no problems")
