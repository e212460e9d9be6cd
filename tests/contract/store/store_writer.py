"""A process that writes members, one transaction each, until it is told to stop. Then it says how many."""

from __future__ import annotations

import sys
import threading

from sqlalchemy import text
from store_bench import NOW

from engage.store import members
from engage.store.databases.database import Database


def main(url: str) -> None:
    database, written = Database(url), 0
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
    while not stop.is_set():
        with database.write() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '3s'"))
            members.create(connection, NOW, f"W{written}", None)
        written += 1
        if written == 1:
            print("writing", flush=True)
    print(written)


if __name__ == "__main__":
    main(sys.argv[1])
