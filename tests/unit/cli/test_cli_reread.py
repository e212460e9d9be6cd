"""`engage reread`: what could not be read is put back, and nothing else."""

from datetime import UTC, datetime

import pytest

from engage.cli.app import main
from engage.store import inbound
from engage.store.databases.database import Database
from engage.store.inbound import Arrived

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture
def database(tmp_path, monkeypatch):
    """Of a project with three records: the second was read, the others could not be."""
    monkeypatch.chdir(tmp_path)
    engage("init", "shop")
    monkeypatch.chdir(tmp_path / "shop")
    engage("apply")
    database = Database("sqlite:///engage.db")
    with database.write() as connection:
        inbound.put(connection, [Arrived("sms", f"k{n}", "{}") for n in range(3)], NOW)
        inbound.mark_read(connection, [2], NOW)
        for record in (1, 3):
            inbound.mark_unreadable(connection, record, "not a fact", NOW)
    yield database
    database.close()


def engage(*args):
    with pytest.raises(SystemExit) as ended:
        main(["--lang", "en", *args])
    return ended.value.code


def unread(database):
    with database.read() as connection:
        return [record.id for record in inbound.unread(connection, 9, bulk=False)]


def test_all_of_them_are_read_again(database, capsys):
    assert engage("reread") == 0
    assert capsys.readouterr().out.endswith("✓ To be read again: 2 records.\n")
    assert unread(database) == [1, 3]
    assert engage("reread") == 0
    assert capsys.readouterr().out == "All that came in could be read.\n"


def test_one_of_them_is_and_what_could_be_read_is_refused(database, capsys):
    assert engage("reread", "3", "2") == 1
    assert "not among the records that could not be read: 2" in capsys.readouterr().err
    assert unread(database) == []
    assert engage("reread", "3") == 0
    assert unread(database) == [3]
