"""Wrong usage and a wrong configuration are told in the reader's language, whatever else is wrong with the call."""

import pytest

from engage.cli.app import main
from engage.config import load_config
from engage.core.problem import Lang
from engage.errors import ConfigError

WRONG = [
    (["check", "--foo"], "no such option: --foo", "没有 --foo 这个选项"),
    (
        ["report", "--day", "3"],
        "no such option: --day (Possible options: --days)",
        "没有 --day 这个选项；您想写的是 --days 吗？",
    ),
    (["chekc"], "no such command 'chekc'. Did you mean 'check'?", "没有 chekc 这个命令；您想写的是 'check' 吗？"),
    (["xyz"], "no such command 'xyz'", "没有 xyz 这个命令"),
    (["--lang"], "option '--lang' requires an argument", "选项 --lang 后面要写一个值"),
    (["tasks", "close"], "missing argument 'ID'", "还需要写 ID"),
    (["tasks", "close", "7"], "missing option '--outcome'", "还需要写选项 --outcome"),
    (["status", "now"], "got unexpected extra argument(s) (now)", "多写了 now"),
    (["report", "--days"], "option '--days' requires an argument", "选项 --days 后面要写一个值"),
    (["check", "--json=3"], "option '--json' does not take a value", "选项 --json 后面不写值"),
    (
        ["simulate", "--from", "2026/1/1"],
        "invalid value for '--from': Value error, '2026/1/1' does not match the formats '%Y-%m-%d'",
        "--from 看不懂“2026/1/1”；日期请写成 2026-11-24 这样",
    ),
    (
        ["simulate", "--days", "0"],
        "invalid value for '--days': Input should be greater than or equal to 1",
        "--days 不能小于 1",
    ),
    (
        ["report", "--days", "3000000"],
        "invalid value for '--days': Input should be less than or equal to 36500",
        "--days 不能大于 36500",
    ),
    *(
        (
            [*command, option, day],
            f"invalid value for '{option}': {day} is no day between 1970 and 2199",
            f"{option} 应在 1970 年到 2199 年之间，{day} 太远了",
        )
        for command, option in (
            (["report"], "--from"),
            (["report"], "--to"),
            (["replay", "welcome"], "--from"),
            (["simulate"], "--from"),
        )
        for day in ("0001-01-01", "9999-12-31")
    ),
    (
        ["--lang", "fr", "check"],
        "invalid value for '--lang': Value error, 'fr' is not one of 'en', 'zh'",
        "--lang 不能是 fr，可以是 'en', 'zh'",
    ),
]


def said(args, capsys):
    with pytest.raises(SystemExit) as ended:
        main(args)
    shown = capsys.readouterr()
    assert (ended.value.code, shown.out) == (2, "")
    return shown.err.splitlines()


@pytest.mark.parametrize(("args", "english", "chinese"), WRONG, ids=[" ".join(args) for args, _, _ in WRONG])
def test_wrong_usage_is_told_in_both_languages(args, english, chinese, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for lang, words in (("en_US.UTF-8", english), ("zh_CN.UTF-8", chinese)):
        monkeypatch.setenv("LC_ALL", lang)
        assert said(args, capsys)[0] == f"engage: {words}"


def test_it_says_how_the_command_is_called_and_where_to_read_more(capsys):
    assert said(["--lang", "zh", "check", "--foo"], capsys)[1:] == [
        "用法：engage check [OPTIONS] [PATH…]...",
        "engage check --help 有详细说明",
    ]


def test_the_language_is_the_one_asked_for_or_the_configs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("lang: zh\n", encoding="utf-8")
    assert said(["chekc"], capsys)[0].startswith("engage: 没有")
    assert said(["--lang=en", "chekc"], capsys)[0].startswith("engage: no such")
    elsewhere = tmp_path / "other.yaml"
    elsewhere.write_text("lang: en\n", encoding="utf-8")
    assert said(["--config", str(elsewhere), "chekc"], capsys)[0].startswith("engage: no such")


def test_a_configuration_that_cannot_be_used_is_told_in_both_languages(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "lang: fr\nweb: { signing_key: short, port: 99999, publc_url: x, host: [a] }\n"
        "policy: { quiet_hours: { start: 9点, end: 21:00 }, marketing_hours: { smss: { start: 9:00, end: 20:00 } } }\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    chinese = caught.value.said.in_(Lang.ZH).splitlines()
    assert chinese[0].endswith("不能使用：")
    assert sorted(line.strip() for line in chinese[1:]) == [
        "lang：应该是 'en'、'zh' 之一",
        "policy.quiet_hours.start：“9点”不是一天中的时间；请写成 09:30 这样",
        "web.host：应该是一段文字",
        "web.port：不能大于 65535",
        "web.publc_url：没有这一项；您想写的是 public_url 吗？",
        "web.signing_key：太短；请用至少 32 个随机字符",
    ]
    assert len(str(caught.value).splitlines()) == len(chinese)


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("web: {}\nweb: {}\n", "不是有效的 YAML：第 2 行：这一项写了两次"),
        ("web: a: b\n", "不是有效的 YAML：第 1 行：这里不能有“:”，请检查缩进"),
        ("- a\n", "应该是一组“键: 值”，就像 config.example.yaml"),
        ("{}\n", "web：缺少这一项；写法见 config.example.yaml"),
    ],
)
def test_a_config_that_is_no_config_is_told_in_chinese(text, chinese, tmp_path):
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "config.yaml")
    assert chinese in caught.value.said.zh
