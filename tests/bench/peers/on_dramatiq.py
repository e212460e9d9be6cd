"""A message for each step, on dramatiq with Redis. `python on_dramatiq.py`: queue all."""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from work import REDIS, runs, step_alone

dramatiq.set_broker(RedisBroker(url=f"unix://{REDIS}"))


@dramatiq.actor
def take_step(bucket: int, run: int) -> None:
    step_alone(bucket, run)


if __name__ == "__main__":
    for each in runs():
        take_step.send(*each)
