"""Languages, reasons in Chinese, and how errors end a command."""

import ast
from pathlib import Path

import pytest

from engage.cli.app import main
from engage.cli.ending import Ending, Refusal, tell
from engage.cli.language import nearest_config, system_lang
from engage.cli.reasons import reason_in
from engage.core.problem import Lang
from engage.errors import ConfigError, EngageError

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("environment", "lang"),
    [
        ({}, Lang.EN),
        ({"LANG": "zh_CN.UTF-8"}, Lang.ZH),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, Lang.EN),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW.UTF-8"}, Lang.ZH),
        ({"LANG": "C", "LC_ALL": ""}, Lang.EN),
    ],
)
def test_the_language_is_the_systems(environment, lang):
    assert system_lang(environment) is lang


def test_the_nearest_config_above_is_taken(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "config.yaml").touch()
    assert nearest_config(deep) == tmp_path / "config.yaml"
    (tmp_path / "a" / "config.yaml").touch()
    assert nearest_config(deep) == tmp_path / "a" / "config.yaml"


@pytest.mark.parametrize(
    ("stored", "chinese"),
    [
        ("no address on file", "没有联系方式"),
        ("template has no sms version", "模板没有 sms 版本"),
        ("no consent on file for marketing on email", "没有 marketing 在 email 上的授权"),
        ("frequency cap: 1 in 1d, 1 allowed", "频次上限：1d 内已发 1 条，最多 1 条"),
        ("客服消息 (wrote to us 1d7h ago, 1/5 left)", "客服消息 (1d7h 前来过消息，还可发 1/5 条)"),
        (
            "48h reply window closed 6h30m ago; marketing may not use template messages",
            "48h 回复窗口已于 6h30m 前关闭；营销内容不能用模板消息",
        ),
        ("模板消息 (no reply window is open)", "模板消息 (没有可回复的窗口)"),
        ("the run ended: order_paid", "旅程已结束：order_paid"),
        ("isv.BUSINESS_LIMIT_CONTROL", "isv.BUSINESS_LIMIT_CONTROL"),
    ],
)
def test_reasons_are_told_in_chinese_and_unknown_ones_as_they_are(stored, chinese):
    assert reason_in(stored, Lang.ZH) == chinese
    assert reason_in(stored, Lang.EN) == stored


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (Refusal("no", Ending.NO), Ending.NO),
        (Refusal("not now"), Ending.REFUSED),
        (ConfigError("config.yaml: web.port", "config.yaml：web.port"), Ending.CONFIG),
        (EngageError("run `engage apply` first"), Ending.REFUSED),
        (OSError(28, "No space left on device"), Ending.FAULT),
    ],
)
def test_an_error_is_one_line_and_a_code(capsys, error, ending):
    assert tell(error, Lang.EN) is ending
    said = capsys.readouterr().err
    assert said.startswith("engage: ")
    assert said.count("\n") == 1


def test_what_nobody_foresaw_shows_where_it_happened(capsys):
    with pytest.raises(KeyError) as unforeseen:
        {}["step"]
    assert tell(unforeseen.value, Lang.EN) is Ending.FAULT
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args", [["status"], ["apply"], ["run"], ["explain", "M1"], ["export", "answers"], ["db", "upgrade"], ["sandbox"]]
)
def test_without_a_config_a_command_says_how_to_get_one(args, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(args)
    assert ended.value.code == 3
    assert "engage init" in capsys.readouterr().err


def test_the_configs_language_holds_even_if_the_rest_of_it_is_wrong(tmp_path, monkeypatch, capsys):
    (tmp_path / "config.yaml").write_text("lang: zh\nweb: {}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["check", "nowhere.yaml"])
    assert capsys.readouterr().err == "engage: nowhere.yaml 不存在\n"


def test_every_fault_is_told_in_both_languages():
    """Whatever raises one. In `engage/cli` refusals are in the reader's language already."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "engage").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    bases = {c.name: {b.id for b in c.bases if isinstance(b, ast.Name)} for c in nodes if isinstance(c, ast.ClassDef)}

    def is_fault(name: str) -> bool:
        return name == "EngageError" or any(map(is_fault, bases.get(name, ())))

    calls = [n for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and is_fault(n.func.id)]
    told_once = [ast.unparse(c) for c in calls if len(c.args) < 2 and not isinstance(c.args[0], ast.Starred)]
    assert len(calls) > 25
    assert told_once == []
