"""The ids of new rows. They say nothing of the order in which rows were committed; `event.number` does.

On SQLite, where whoever writes is alone, ids are taken inside the transaction that uses them, and a rollback gives them
back. On PostgreSQL the row of `id_block` would stay locked until that transaction ends, and every other process would
wait for it: there a process takes a block at a time, in a transaction of its own, and what it does not use is a gap.
Nothing is kept in the session, so that a pooler may stand in between.

An id that has left the house (in a link, in a key that a provider keeps) stands for one row for ever. A database that
is brought back does not know which it has given out since; so it leaps to ids that grow with time, faster than any
database can give them out. However often one is brought back, no two of its lives share an id.
"""

from __future__ import annotations

import threading
from datetime import datetime

from sqlalchemy import BigInteger, Connection, Engine, bindparam, case
from sqlalchemy.dialects.postgresql import insert as upsert

from engage.store.tables import id_block, metadata

_BLOCK = 1000
_TOO_LONG = len(str(2**63))
# Nothing gives out as many, and until the year 2286 these have fifteen digits: all that a spreadsheet can tell apart.
_LEAPS_A_SECOND = 100_000
OPTION = "engage_ids"  # the execution option by which a connection knows its process's blocks


class IdBlocks:
    """The ids a process has taken and not yet used."""

    def __init__(self, engine: Engine) -> None:
        """`engine`: not the one whose transactions use the ids, or they would wait for each other's connections."""
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._lock = threading.Lock()
        self._left: dict[str, range] = {}

    def take(self, kind: str, count: int) -> range:
        with self._lock:
            left = self._left.get(kind, range(0))
            if len(left) < count:
                with self._engine.connect() as connection:
                    left = _take(connection, kind, max(count, _BLOCK))
            self._left[kind] = left[count:]
            return left[:count]

    def leap(self, now: datetime) -> None:
        with self._lock, self._engine.connect() as connection:
            _leap(connection, now)
            self._left.clear()

    def close(self) -> None:
        self._engine.dispose()


def is_an_id(text: str) -> bool:
    """It may be one. There are longer numbers, of cards for instance, and no database takes them."""
    return text.isdecimal() and len(text) < _TOO_LONG


def take_ids(connection: Connection, kind: str, count: int) -> range:
    """The next `count` ids of a table, one after another."""
    blocks = _blocks_of(connection)
    return _take(connection, kind, count) if blocks is None else blocks.take(kind, count)


def leap(connection: Connection, now: datetime) -> None:
    """From now on no table gives out an id that was given out before, by whatever life of this database. Never back."""
    blocks = _blocks_of(connection)
    if blocks is None:
        _leap(connection, now)
    else:
        blocks.leap(now)


def _blocks_of(connection: Connection) -> IdBlocks | None:
    blocks: IdBlocks | None = connection.get_execution_options().get(OPTION)
    return blocks


def _take(connection: Connection, kind: str, count: int) -> range:
    taken = {"of_kind": kind, "after_first": 1 + count, "taken": count}
    following: int = connection.execute(_TAKEN, taken).scalar_one()
    return range(following - count, following)


_TAKEN = (
    upsert(id_block)
    .values(kind=bindparam("of_kind"), next_id=bindparam("after_first", type_=BigInteger()))
    .on_conflict_do_update(
        index_elements=["kind"], set_={"next_id": id_block.c.next_id + bindparam("taken", type_=BigInteger())}
    )
    .returning(id_block.c.next_id)
)


def _leap(connection: Connection, now: datetime) -> None:
    """Also of what had none when the copy was made."""
    to = int(now.timestamp() * _LEAPS_A_SECOND)
    connection.execute(_LEAPT, [{"of_kind": kind, "to": to} for kind in sorted(_KINDS)])


_KINDS = {
    table.name
    for table in metadata.tables.values()
    if "id" in table.c and isinstance(table.c.id.type, BigInteger) and table.autoincrement_column is None
}
_TO = bindparam("to", type_=BigInteger())
_LEAPT = (
    upsert(id_block)
    .values(kind=bindparam("of_kind"), next_id=_TO)
    .on_conflict_do_update(
        index_elements=["kind"], set_={"next_id": case((id_block.c.next_id < _TO, _TO), else_=id_block.c.next_id)}
    )
)
