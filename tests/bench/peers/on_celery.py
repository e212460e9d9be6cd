"""A task for each step, on Celery with Redis. `python on_celery.py`: queue all."""

from celery import Celery, group
from work import REDIS, runs, step_alone

app = Celery("on_celery", broker=f"redis+socket://{REDIS}")
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=64, broker_connection_retry_on_startup=True)


@app.task
def take_step(bucket: int, run: int) -> None:
    step_alone(bucket, run)


if __name__ == "__main__":
    group(take_step.s(*each) for each in runs()).apply_async()
