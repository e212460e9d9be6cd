"""`engage db upgrade` while daemons are at work: scripts of a later version, applied to a real PostgreSQL under the
hands of a real process that writes."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from store_bench import Bench

from engage.store.databases import migrating
from engage.store.databases.database import Database
from engage.store.databases.migrating import SCRIPTS, OtherSchema, UpgradeHindered, is_current, require_current, upgrade
from tests.postgresql import one_more_database

(FIRST,) = (SCRIPTS / "versions").glob("*.py")
(HEAD,) = re.findall(r'^revision = "(.*)"$', FIRST.read_text("utf-8"), re.MULTILINE)
WRITER = Path(__file__).parent / "store_writer.py"
SCRIPT = """
import sqlalchemy as sa
from alembic import op

from engage.store.databases.expanding import add_index

revision, down_revision = "{revision}", "{after}"


def upgrade() -> None:
    {does}
"""
COLUMN = 'op.add_column("member", sa.Column("shoe_size", sa.Integer(), server_default="42"))'
INDEX = 'add_index("ix_member_shoe_size", "member", ["shoe_size"])'


def scripts_with(folder: Path, *revisions: tuple[str, str]) -> Path:
    """Today's scripts, and what comes after them."""
    (folder / "versions").mkdir(parents=True)
    for path in [SCRIPTS / "env.py", *(SCRIPTS / "versions").glob("*.py")]:
        (folder / path.relative_to(SCRIPTS)).write_text(path.read_text())
    after = HEAD
    for revision, does in revisions:
        script = SCRIPT.format(revision=revision, after=after, does=does)
        (folder / "versions" / f"{revision}.py").write_text(script)
        after = revision
    return folder


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """Of a version whose schema this one can live with."""
    return scripts_with(tmp_path / "newer", (f"9997_for_{HEAD}", COLUMN), (f"9998_for_{HEAD}", INDEX))


@pytest.fixture
def server(postgresql_url: str) -> Iterator[Database]:
    with one_more_database(postgresql_url, "upgraded") as url:
        database = Database(url)
        upgrade(database)
        yield database
        database.close()


def is_indexed(database: Database) -> bool:
    with database.read() as connection:
        valid = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_member_shoe_size')")
        return bool(connection.scalar(valid))


def test_a_process_that_writes_goes_on_writing(server: Database, newer: Path) -> None:
    """Every transaction of it gives up after three seconds of waiting for a lock; none has to."""
    url = server.url.render_as_string(hide_password=False)
    with subprocess.Popen(
        [sys.executable, str(WRITER), url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        upgrade(server, newer)
        written, _ = writer.communicate("stop\n", timeout=60)
    assert writer.returncode == 0
    assert int(written) > 0
    assert is_indexed(server)
    with server.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM member WHERE shoe_size = 42")) == int(written)


def test_the_version_before_lives_with_what_was_added(server: Database, newer: Path) -> None:
    upgrade(server, newer)
    require_current(server)
    assert is_current(server, newer)
    with server.write() as connection:
        assert Bench(connection).member().id > 0


def test_a_version_refuses_what_it_cannot_live_with(server: Database, tmp_path: Path) -> None:
    upgrade(server, scripts_with(tmp_path / "far", ("9999", COLUMN)))
    with pytest.raises(OtherSchema, match=f"9999.*{HEAD}"):
        require_current(server)
    with pytest.raises(OtherSchema):
        is_current(server)


def test_the_first_script_is_named_after_what_it_does() -> None:
    """A database of an earlier writing would pass for one of this. Give the revision the name that is expected here."""
    does = FIRST.read_text("utf-8").partition("def upgrade()")[2]
    assert f"0001_{hashlib.sha256(does.encode()).hexdigest()[:8]}" == HEAD


@pytest.mark.parametrize("earlier", ["0001", "0001_0badcafe"])
def test_a_database_of_an_earlier_writing_of_the_same_script_is_refused(tmp_path: Path, earlier: str) -> None:
    """It has other tables; “the schema is the newest already” would send one round in circles."""
    database = Database(f"sqlite:///{tmp_path / 'engage.db'}")
    upgrade(database)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :earlier"), {"earlier": earlier})
    for asked in (is_current, require_current, upgrade):
        with pytest.raises(OtherSchema, match=f"another version of Engage .schema {earlier}, this one knows {HEAD}"):
            asked(database)
    database.close()


def test_a_version_that_needs_more_says_what_to_do(server: Database, newer: Path) -> None:
    assert not is_current(server, newer)


def test_who_holds_the_table_is_waited_for_briefly_and_again(
    server: Database, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes meanwhile is let through between the tries."""
    monkeypatch.setattr(migrating, "_PATIENCE", "100ms")
    let_go, tried = threading.Event(), threading.Event()
    monkeypatch.setattr(migrating.time, "sleep", lambda _: (tried.set(), let_go.wait(30)))
    with ThreadPoolExecutor(1) as other:
        with server.write() as holding:
            holding.execute(text("SELECT 1 FROM member LIMIT 1"))
            upgrading = other.submit(upgrade, server, newer)
            assert tried.wait(30)
            with server.write() as connection:
                connection.execute(text("SET LOCAL lock_timeout = '1s'"))
                Bench(connection).member()
        let_go.set()
        upgrading.result(60)
    assert is_indexed(server)


def test_an_upgrade_that_is_hindered_to_the_end_says_so_and_can_be_done_again(
    server: Database, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "_PATIENCE", "10ms")
    monkeypatch.setattr(migrating.time, "sleep", lambda _: None)
    with server.write() as holding:
        holding.execute(text("SELECT 1 FROM member LIMIT 1"))
        with pytest.raises(UpgradeHindered, match="again"):
            upgrade(server, newer)
    assert not is_current(server, newer)
    upgrade(server, newer)
    assert is_current(server, newer)


def test_half_an_index_is_built_anew(server: Database, newer: Path) -> None:
    """A build that was interrupted leaves an index that nothing reads."""
    with server.write() as connection:
        connection.execute(text("ALTER TABLE member ADD COLUMN shoe_size INTEGER DEFAULT 42"))
        connection.execute(text(f"UPDATE alembic_version SET version_num = '9997_for_{HEAD}'"))
        connection.execute(text("CREATE INDEX ix_member_shoe_size ON member (shoe_size)"))
        broken = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('ix_member_shoe_size')"
        connection.execute(text(broken))
    upgrade(server, newer)
    assert is_indexed(server)


def test_of_two_at_once_one_is_told_to_wait(server: Database, newer: Path) -> None:
    with migrating._alone(server), pytest.raises(UpgradeHindered, match="another upgrade"):
        upgrade(server, newer)
    upgrade(server, newer)
    assert "shoe_size" in {column["name"] for column in inspect(server.engine).get_columns("member")}


def test_of_two_at_once_on_an_empty_database_one_is_told_to_wait(postgresql_url: str) -> None:
    with one_more_database(postgresql_url, "not_upgraded_yet") as url:
        database = Database(url)
        with migrating._alone(database), pytest.raises(UpgradeHindered, match="another upgrade"):
            upgrade(database)
        upgrade(database)
        require_current(database)
        database.close()
