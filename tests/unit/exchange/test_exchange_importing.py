"""A file into a real inbox: what is new gets in, once; what is wrong is listed; nothing is said twice."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from exchange_builders import CATALOG, NOW, a_file, events, facts, members

from engage.core.fact_json import fact_to_json
from engage.core.problem import Lang
from engage.core.report_key import member_key
from engage.exchange.importing import import_events, import_members
from engage.exchange.report import as_data, describe
from engage.store import inbound
from engage.store.databases.database import Database

THREE = "会员号,姓名,手机,等级,同意\nM1,王芳,13800138000,1,是\nM2,李雷,13900139000,2,\nM3,韩梅梅,,3,否\n"


def test_every_row_becomes_a_fact_in_the_inbox(tmp_path: Path, database: Database) -> None:
    report = import_members(database, CATALOG, a_file(tmp_path, THREE), NOW)
    assert (report.read, report.accepted, report.repeated, report.refused) == (3, 3, 0, 0)
    assert [fact.member for fact in members(database)] == ["M1", "M2", "M3"]
    assert members(database)[0].evidence == "members.csv, row 2"
    assert not any(fact.announce for fact in members(database))
    assert report.refused_file is None
    assert not list(tmp_path.glob("*.refused.csv"))


def test_new_members_are_announced_only_when_asked(tmp_path: Path, database: Database) -> None:
    import_members(database, CATALOG, a_file(tmp_path, THREE), NOW, announce=True)
    assert all(fact.announce for fact in members(database))


@pytest.mark.parametrize("name", ["members.csv", "renamed.csv"])
@pytest.mark.parametrize("encoding", ["utf-8", "gbk", "utf-16"])
def test_running_again_changes_nothing(tmp_path: Path, database: Database, name: str, encoding: str) -> None:
    """Nor does the same table under another name or in another encoding, a day later."""
    import_members(database, CATALOG, a_file(tmp_path, THREE), NOW)
    before = facts(database)
    again = import_members(
        database, CATALOG, a_file(tmp_path, THREE, name=name, encoding=encoding), NOW + timedelta(days=1)
    )
    assert (again.read, again.accepted, again.repeated) == (3, 0, 3)
    assert facts(database) == before


def test_a_corrected_file_brings_in_only_what_is_new(tmp_path: Path, database: Database) -> None:
    import_members(database, CATALOG, a_file(tmp_path, THREE), NOW)
    corrected = THREE.replace("M2,李雷,13900139000,2,", "M2,李雷,13900139001,2,") + "M4,小明,,1,\n"
    report = import_members(database, CATALOG, a_file(tmp_path, corrected), NOW)
    assert (report.accepted, report.repeated) == (2, 2)
    assert [fact.member for fact in members(database)[3:]] == ["M2", "M4"]


def test_a_member_who_changes_back_does_change_back(tmp_path: Path, database: Database) -> None:
    """Weekly lists: level 1, level 2, level 1 again. That it was said before does not make it old news."""
    for week, level in enumerate("121"):
        import_members(database, CATALOG, a_file(tmp_path, f"会员号,等级,备注\nM1,{level},第{week}周\n"), NOW)
    assert [fact.values["level"] for fact in members(database)] == ["1", "2", "1"]


def test_what_came_over_the_api_since_makes_an_old_row_news(tmp_path: Path, database: Database) -> None:
    """The list refuses, the shop's system grants, the next list refuses: that is a refusal."""
    refuses = "会员号,手机,同意\nM1,13800138000,!marketing:sms\n"
    import_members(database, CATALOG, a_file(tmp_path, refuses), NOW)
    granted = replace(members(database)[0], consents={("marketing", "sms"): True})
    with database.write() as connection:
        told = inbound.Arrived(inbound.API, f"{member_key(granted)}:20261123:0", fact_to_json(granted))
        assert inbound.put(connection, [told], NOW) == 1
    again = import_members(database, CATALOG, a_file(tmp_path, refuses), NOW)
    assert (again.accepted, again.repeated) == (0, 1)
    newer = import_members(database, CATALOG, a_file(tmp_path, refuses + "M2,13900139000,\n"), NOW)
    assert (newer.accepted, newer.repeated) == (2, 0)


def test_a_member_twice_in_a_file_ends_as_the_last_row_says_also_when_run_again(
    tmp_path: Path, database: Database
) -> None:
    path = a_file(tmp_path, "会员号,等级\nM1,1\nM1,2\nM1,2\nM1,1\n")
    first = import_members(database, CATALOG, path, NOW)
    assert (first.accepted, first.repeated) == (3, 1)
    again = import_members(database, CATALOG, path, NOW)
    assert (again.accepted, again.repeated) == (0, 4)
    assert [fact.values["level"] for fact in members(database)] == ["1", "2", "1"]


def test_more_rows_than_fit_one_transaction(tmp_path: Path, database: Database) -> None:
    rows = "".join(f"M{i},会员{i},1{3800000000 + i}\n" for i in range(2_345))
    path = a_file(tmp_path, "会员号,姓名,手机\n" + rows, encoding="gbk")
    assert import_members(database, CATALOG, path, NOW).accepted == 2_345
    assert import_members(database, CATALOG, path, NOW).repeated == 2_345
    assert len(members(database)) == 2_345


SOME_BAD = (
    "会员号,姓名,手机,等级,备注\n"
    "M1,王芳,13800138000,1,\n"
    "M2,李雷,1.39E+10,2,\n"
    "M3,13700137000,韩梅梅,3,\n"
    "M4,小明,13600136001,4,x,y\n"
    ",没有号,13600136000,4,\n"
    "M6,=cmd|' /C calc'!A0,123456789012,高,\n"
)


def test_refused_rows_are_listed_beside_the_file(tmp_path: Path, database: Database) -> None:
    report = import_members(database, CATALOG, a_file(tmp_path, SOME_BAD), NOW)
    assert (report.read, report.accepted, report.refused) == (6, 1, 5)
    assert report.refused_file == tmp_path / "members.refused.csv"
    assert report.refused_file.read_bytes().startswith(b"\xef\xbb\xbf")
    with report.refused_file.open(encoding="utf-8-sig", newline="") as file:
        listed = list(csv.reader(file))
    assert listed[0] == ["行号", "拒绝原因", "why refused", "会员号", "姓名", "手机", "等级", "备注"]
    assert [row[0] for row in listed[1:]] == ["3", "4", "5", "6", "7"]
    assert "末几位已经丢失" in listed[1][1]
    assert listed[2][3:] == ["M3", "13700137000", "韩梅梅", "3", ""]
    assert listed[3][3:] == ["M4", "小明", "13600136001", "4", "x", "y"]
    assert listed[5][4] == "'=cmd|' /C calc'!A0"
    assert "「手机」" in listed[5][1]
    assert "「等级」" in listed[5][1]


def test_the_list_of_refusals_can_be_put_right_and_imported(tmp_path: Path, database: Database) -> None:
    report = import_members(database, CATALOG, a_file(tmp_path, SOME_BAD), NOW)
    assert report.refused_file is not None
    text = report.refused_file.read_text(encoding="utf-8-sig")
    report.refused_file.write_text(text.replace("1.39E+10", "13900139000"), encoding="utf-8-sig")
    again = import_members(database, CATALOG, report.refused_file, NOW)
    assert (again.accepted, again.refused) == (1, 4)
    assert members(database)[1].addresses == {"sms": "+8613900139000"}
    assert again.refused_file == tmp_path / "members.refused.refused.csv"


def test_nobodys_data_is_shown_whole_on_the_terminal(tmp_path: Path, database: Database) -> None:
    content = "会员号,手机,邮箱,微信\nM1,1380013800012,wangfang@@example.com,oABCD_1234567890abcdefghijkl!\n"
    report = import_members(database, CATALOG, a_file(tmp_path, content), NOW)
    for lang in Lang:
        shown = describe(report, lang) + str(as_data(report, lang))
        for secret in ("1380013800012", "wangfang", "oABCD_1234567890abcdefghijkl"):
            assert secret not in shown
    assert "第 2 行" in describe(report, Lang.ZH)
    assert "row 2" in describe(report, Lang.EN)


def test_the_words_of_a_report(tmp_path: Path, database: Database) -> None:
    report = import_members(database, CATALOG, a_file(tmp_path, SOME_BAD), NOW)
    chinese, english = describe(report, Lang.ZH).splitlines(), describe(report, Lang.EN).splitlines()
    assert chinese[0] == "members.csv：读到 6 行，接收 1 行，拒绝 5 行。"
    assert english[0] == "members.csv: 6 rows read, 1 accepted, 5 refused."
    assert "  备注" in chinese
    assert str(report.refused_file) in chinese[-1]
    again = import_members(database, CATALOG, a_file(tmp_path, THREE.splitlines()[0] + "\nM1,王芳,,,\n"), NOW)
    assert describe(again, Lang.EN) == "members.csv: 1 row read, 1 accepted."


def test_only_the_first_refusals_are_kept_in_memory(tmp_path: Path, database: Database) -> None:
    path = a_file(tmp_path, "会员号,手机\n" + "M1,x\n" * 2_500)
    report = import_members(database, CATALOG, path, NOW)
    assert report.refused == 2_500
    assert len(report.examples) == 10
    assert report.refused_file is not None
    assert len(report.refused_file.read_text(encoding="utf-8-sig").splitlines()) == 2_501
    assert "另有 2,490 行" in describe(report, Lang.ZH)


def test_a_folder_that_cannot_be_written_to_does_not_stop_the_import(tmp_path: Path, database: Database) -> None:
    path = a_file(tmp_path, SOME_BAD)
    (tmp_path / "members.refused.csv").mkdir()  # in the way, also for root
    report = import_members(database, CATALOG, path, NOW)
    assert (report.accepted, report.refused, report.refused_file) == (1, 5, None)
    assert "没有生成拒绝清单" in describe(report, Lang.ZH)


@pytest.mark.parametrize(
    ("content", "expected"),
    [("", "空"), ("姓名,手机\n王芳,1\n", "会员号"), ("会员号,手机,手机\nM1,1,1\n", "手机"), ("<html></html>", "网页")],
)
def test_a_file_that_is_no_list_of_members_stores_nothing(
    tmp_path: Path, database: Database, content: str, expected: str
) -> None:
    report = import_members(database, CATALOG, a_file(tmp_path, content), NOW)
    assert report.unusable is not None
    assert expected in describe(report, Lang.ZH)
    assert facts(database) == []


ORDERS = (
    "编号,会员号,事件,时间,订单号,金额,原因\n"
    "E1,M1,order_paid,2026-11-20 10:00,A1,100,\n"
    "E2,M1,complaint_opened,2026-11-21 09:00,,,茶叶碎了\n"
)


def test_events_are_stored_once_by_their_id(tmp_path: Path, database: Database) -> None:
    report = import_events(database, CATALOG, a_file(tmp_path, ORDERS), NOW)
    assert (report.read, report.accepted) == (2, 2)
    assert [(fact.event, dict(fact.payload)) for fact in events(database)] == [
        ("order_paid", {"order_id": "A1", "amount": 100}),
        ("complaint_opened", {"reason": "茶叶碎了"}),
    ]
    more = ORDERS + "E3,M2,order_paid,2026-11-22 10:00,A2,50,\n"
    report = import_events(database, CATALOG, a_file(tmp_path, more, name="week2.csv"), NOW)
    assert (report.accepted, report.repeated) == (1, 2)


def test_events_without_an_id_are_stored_once_by_what_they_say(tmp_path: Path, database: Database) -> None:
    content = "会员号,事件,时间,订单号\nM1,order_paid,2026-11-20 10:00,A1\nM1,order_paid,2026-11-20 10:00,A2\n"
    first = import_events(database, CATALOG, a_file(tmp_path, content), NOW)
    same = content.replace("2026-11-20 10:00", "2026/11/20 10:00:00")
    again = import_events(database, CATALOG, a_file(tmp_path, same, name="same.csv"), NOW + timedelta(days=1))
    assert (first.accepted, again.accepted, again.repeated) == (2, 0, 2)
    assert len(events(database)) == 2


def test_events_in_a_members_file_are_refused_row_by_row(tmp_path: Path, database: Database) -> None:
    content = "会员号,事件,时间\nM1,clicked,2026-11-20 10:00\nM1,order_paid,\n,order_paid,2026-11-20 10:00\n"
    report = import_events(database, CATALOG, a_file(tmp_path, content), NOW)
    assert (report.accepted, report.refused) == (0, 3)
    assert [row.row for row in report.examples] == [2, 3, 4]
