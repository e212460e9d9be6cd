"""A workflow for each run, on DBOS in the same PostgreSQL. `python on_dbos.py queue`: queue all; `work`: carry them
out. The step is a transaction of its datasource, so that it and its checkpoint are committed together."""

import sys
import threading

from dbos import DBOS, DBOSConfig, SQLAlchemyDatasource
from work import DATABASE, runs, step

_QUEUE = "steps"
_config: DBOSConfig = {
    "name": "bench",
    "system_database_url": DATABASE,
    "log_level": "ERROR",
    "application_version": "1",
}
DBOS(config=_config)
_data = SQLAlchemyDatasource.create(DATABASE)


@_data.transaction(isolation_level="READ COMMITTED")
def _take(bucket: int, run: int) -> None:
    step(_data.sql_session().connection().connection.driver_connection, bucket, run)


@DBOS.workflow()
def take_step(bucket: int, run: int) -> None:
    _take(bucket, run)


if __name__ == "__main__":
    if sys.argv[1] == "queue":
        DBOS.listen_queues([])
    DBOS.launch()
    DBOS.register_queue(_QUEUE, worker_concurrency=16, polling_interval_sec=0.1)
    if sys.argv[1] == "queue":
        for each in runs():
            DBOS.enqueue_workflow(_QUEUE, take_step, *each)
        DBOS.destroy()
    else:
        threading.Event().wait()
