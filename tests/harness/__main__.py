"""The harness by hand: `python -m tests.harness --seed N`, or any number of seeds on every core (`make soak`)."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context

from tests.harness.complaints import listening
from tests.harness.grounds import Grounds
from tests.harness.running import Tally, live, run, told

_AT_A_TIME = 10
_TOLD_EVERY = 100  # worlds, where nobody looks on


def main() -> int:
    asked = argparse.ArgumentParser(prog="python -m tests.harness", description=__doc__)
    asked.add_argument("--seed", type=int, help="one world, told in full")
    asked.add_argument("--seeds", type=int, default=1000, help="how many (default: 1000)")
    asked.add_argument("--from", type=int, default=0, dest="first", metavar="N", help="the first of them (default: 0)")
    asked.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="default: all")
    given = asked.parse_args()
    return _one(given.seed) if given.seed is not None else _many(given.first, given.seeds, given.cores)


def _one(seed: int) -> int:
    with listening(), Grounds() as grounds:
        life, wrong = live(grounds, seed)
    print(told(life, wrong))
    print("\n" + ("\n".join(f"✗ {what}" for what in wrong) or "the promise held"))
    return int(bool(wrong))


def _many(first: int, count: int, cores: int) -> int:
    tally, began = Tally(), time.monotonic()
    with get_context("spawn").Pool(cores) as pool:
        for some in pool.imap_unordered(run, _portions(first, count)):
            tally.join(some)
            for seed, what in some.wrong:
                print(f"seed {seed}: {what}", flush=True)
            if sys.stderr.isatty():
                print(f"\r{tally.seeds}/{count} worlds", end="", file=sys.stderr, flush=True)
            elif tally.seeds % _TOLD_EVERY < _AT_A_TIME:
                print(f"{tally.seeds}/{count} worlds", file=sys.stderr, flush=True)
    print(*tally.lines(), sep="\n")
    print(f"{time.monotonic() - began:.0f} s on {cores} cores")
    return int(bool(tally.wrong))


def _portions(first: int, count: int) -> Iterator[range]:
    last = first + count
    return (range(n, min(n + _AT_A_TIME, last)) for n in range(first, last, _AT_A_TIME))


if __name__ == "__main__":
    sys.exit(main())
