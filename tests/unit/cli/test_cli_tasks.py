"""`engage tasks` for somebody who has to act on what it shows."""

import json
from datetime import UTC, datetime

import pytest

from engage.cli.app import main
from engage.store import members, reaching, tasks
from engage.store.databases.database import Database
from engage.store.tasks import NewTask

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
LONG = "一位会员：“" + "茶叶有点潮了，" * 20 + "”"


def engage(*args):
    with pytest.raises(SystemExit) as ended:
        main(["--lang", "en", *args])
    assert ended.value.code == 0


@pytest.fixture
def shop(tmp_path, monkeypatch, capsys):
    """A project with two open tasks: of a stranger who wrote, and of a member the shop knows."""
    monkeypatch.chdir(tmp_path)
    engage("init", "shop")
    monkeypatch.chdir(tmp_path / "shop")
    engage("apply")
    database = Database("sqlite:///engage.db")
    with database.write() as connection:
        stranger = members.create(connection, NOW, None, None)
        reaching.put_contact_points(connection, [(stranger, "sms", "+8613800138000", NOW)])
        known = members.create(connection, NOW, "M1", None)
        wanted = [NewTask(ref, "k", "inbox", None, words) for ref, words in ((stranger, LONG), (known, "请回电"))]
        tasks.open_all(connection, wanted, NOW)
    database.close()
    capsys.readouterr()


def test_a_member_without_a_name_is_shown_with_their_number_and_where_they_are(shop, capsys):
    engage("tasks")
    head, _, stranger, known = capsys.readouterr().out.rstrip().splitlines()
    assert head.split() == ["id", "team", "member", "opened", "due", "task"]
    assert "member 1 · sms 138****8000" in stranger
    assert "2026-11-23 10:00" in stranger
    assert "M1" in known


def test_the_table_cuts_long_words_and_the_data_has_all_of_them(shop, capsys):
    engage("tasks")
    shown = next(line for line in capsys.readouterr().out.splitlines() if "member 1" in line)
    words = shown[shown.index("一位会员") :].strip()
    assert (len(words), words[-1]) == (60, "…")
    engage("tasks", "--json")
    assert json.loads(capsys.readouterr().out)[0]["words"] == LONG
