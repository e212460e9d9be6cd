"""The commands on a PostgreSQL of the shop's own."""

import io
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from engage.bootstrap import clock_of
from engage.cli.app import main
from engage.runtime.daemon import only_daemon
from engage.store import daemons, state
from engage.store.daemons import HEARD_OF_WITHIN, DaemonSign
from engage.store.databases import months
from engage.store.databases.database import Database
from engage.store.tables import metadata
from tests.postgresql import one_more_database


def engage(folder: Path, *args: str, code: int = 0) -> str:
    out = io.StringIO()
    with chdir(folder), redirect_stdout(out), redirect_stderr(out), pytest.raises(SystemExit) as ended:
        main(["--lang", "en", *args])
    assert int(ended.value.code or 0) == code, out.getvalue()
    return out.getvalue()


def configure(folder: Path, url: str) -> None:
    path = folder / "config.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("sqlite:///engage.db", url), encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    engage(tmp_path, "init", "shop")
    return tmp_path / "shop"


def test_a_project_on_postgresql(project: Path, postgresql_url: str) -> None:
    with one_more_database(postgresql_url, "commands") as url:
        configure(project, url)
        assert "engage db upgrade" in engage(project, "apply", code=4)
        engage(project, "db", "upgrade")
        assert "Applied" in engage(project, "apply")
        assert "No changes" in engage(project, "plan")
        (project / "members.csv").write_text("会员号,姓名,手机\nM1,王芳,13800138000\n", encoding="utf-8")
        assert "1 accepted" in engage(project, "import", "members", "members.csv")
        assert "1 events to look at" in engage(project, "status", code=1)  # no daemon runs
        assert "138****8000" in engage(project, "explain", "王芳")
        engage(project, "report")
        assert "CREATE EXTENSION citus" in engage(project, "db", "distribute", code=4)


def test_a_shop_that_outgrows_its_file_changes_a_url(
    project: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And from then on the file is refused, so that nothing is sent by both."""
    engage(project, "apply")
    (project / "members.csv").write_text("会员号,姓名,手机\nM1,王芳,13800138000\n", encoding="utf-8")
    engage(project, "import", "members", "members.csv")
    with one_more_database(postgresql_url, "outgrown") as url:
        said = engage(project, "db", "migrate", "--to", "env:NEW_DATABASE", code=4)
        assert "--to: the environment variable NEW_DATABASE is not set" in said
        monkeypatch.setenv("NEW_DATABASE", url)
        assert "rows have moved" in engage(project, "db", "migrate", "--to", "env:NEW_DATABASE")
        assert "was moved to" in engage(project, "explain", "王芳", code=4)
        assert "was moved to" in engage(project, "run", code=4)
        (project / "url").write_text(f"{url}\n", encoding="utf-8")
        assert "was moved to" in engage(project, "db", "migrate", "--to", "file:url", code=4)
        configure(project, url)
        assert "138****8000" in engage(project, "explain", "王芳")
        assert "No changes" in engage(project, "plan")
        assert "only a SQLite file" in engage(project, "db", "migrate", "--to", url, code=4)
        assert "in order" in engage(project, "db", "housekeep")


def test_what_could_not_be_done_in_the_house_is_named(
    project: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(months, "_PATIENCE", "SET LOCAL lock_timeout = '20ms'")
    with one_more_database(postgresql_url, "held") as url:
        configure(project, url)
        engage(project, "db", "upgrade")
        engine = create_engine(url)
        with engine.begin() as connection:
            parts = sorted(name for name in inspect(connection).get_table_names() if name.startswith("decision_2"))
            connection.execute(text(f"DROP TABLE {parts[1]}"))
        assert parts[1] in engage(project, "doctor", "--offline", code=1)
        with engine.begin() as reader:
            reader.execute(text("LOCK TABLE decision IN ACCESS SHARE MODE"))
            said = engage(project, "db", "housekeep", code=4)
        assert "passed over" in said
        assert ": months." in said
        assert "in order" not in said
        assert "in order" in engage(project, "db", "housekeep")
        assert parts[1] not in engage(project, "doctor", "--offline", code=1)  # no daemon runs
        engine.dispose()


def test_a_copy_is_not_moved_before_somebody_has_let_it_go_on(project: Path, postgresql_url: str) -> None:
    """Over there nothing would tell that it is one."""
    engage(project, "apply")
    engage(project, "db", "backup", "copy.db")
    (project / "copy.db").replace(project / "engage.db")
    with one_more_database(postgresql_url, "from_a_copy") as url:
        assert "brought back from a copy" in engage(project, "db", "migrate", "--to", url, code=4)
        engage(project, "resume", "--restored", "--drop-due")
        assert "rows have moved" in engage(project, "db", "migrate", "--to", url)


def test_a_database_with_rows_in_it_is_refused_before_anything_of_it_is_changed(
    project: Path, postgresql_url: str
) -> None:
    """Mistyped, it may be that of another shop, at work and of an earlier version."""
    engage(project, "apply")
    with one_more_database(postgresql_url, "of_another") as url:
        other = Database(url)
        metadata.tables["state"].create(other.engine)
        with other.write() as connection:
            state.put(connection, "x", 1, clock_of(other).now())
        assert "rows in the other database already (state)" in engage(project, "db", "migrate", "--to", url, code=4)
        assert inspect(other.engine).get_table_names() == ["state"]
        other.close()


def test_a_database_on_which_daemons_run_is_not_spread(project: Path, postgresql_url: str) -> None:
    with one_more_database(postgresql_url, "at_work") as url:
        configure(project, url)
        engage(project, "db", "upgrade")
        database = Database(url)
        now = clock_of(database).now()
        with database.write() as connection:
            daemons.put_sign(connection, DaemonSign("a:1", now, {}))
            daemons.put_sign(connection, DaemonSign("b:1", now - HEARD_OF_WITHIN, {}))
        said = engage(project, "db", "distribute", code=4)
        assert "daemons run on this database (a:1); stop them first" in said
        database.close()


def test_a_file_whose_daemon_runs_is_not_moved(project: Path, postgresql_url: str) -> None:
    engage(project, "apply")
    with only_daemon(project / "engage.db"):
        assert "stop it first" in engage(project, "db", "migrate", "--to", postgresql_url, code=4)
    assert "postgresql://" in engage(project, "db", "migrate", "--to", "sqlite:///other.db", code=4)
    for nonsense in ("other", "postgresql://engage:geheim@host:port/engage"):
        said = engage(project, "db", "migrate", "--to", nonsense, code=4)
        assert "postgresql://user@host/name" in said
        assert "geheim" not in said


def test_a_server_that_is_not_there_is_said_in_words(project: Path) -> None:
    configure(project, "postgresql://engage@127.0.0.1:1/engage")
    assert "does not answer" in engage(project, "status", code=4)
    assert "数据库没有应答" in engage(project, "--lang", "zh", "status", code=4)


def test_a_database_of_another_kind_is_refused(project: Path) -> None:
    configure(project, "mysql://engage@127.0.0.1/engage")
    said = engage(project, "status", code=4)
    assert "SQLite and PostgreSQL" in said
