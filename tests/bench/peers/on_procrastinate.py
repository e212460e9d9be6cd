"""A job for each step, on procrastinate in the same PostgreSQL."""

from procrastinate import App, PsycopgConnector
from work import DATABASE, runs, step_alone

app = App(connector=PsycopgConnector(conninfo=DATABASE, min_size=2, max_size=12))


@app.task(name="take_step")
def take_step(bucket: int, run: int) -> None:
    step_alone(bucket, run)


async def queue_all() -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await take_step.batch_defer_async(*({"bucket": bucket, "run": run} for bucket, run in runs()))
