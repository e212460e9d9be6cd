"""The seeded harness: the real engine, in several workers over one database, among faults; and an independent checker.

    python -m tests.harness --seed 17           # one world, with its timeline if something is wrong
    make soak ARGS="--seeds 100000"             # any number, on every core

A `World(seed)` is one life of a small shop: `project` (its journeys), `grounds` (what every world begins with), `world`
(what happens, and when), `crew` (workers that take turns from boundary to boundary), `boundaries` (the database's and
the wire's, each a named crash point), `providers` (which keep the truth: what really reached a phone), `outside`
(members, shop and staff, and the log of what they said), `weather` (which faults a seed has), `checker` and `handovers`
(the promise, read from truth, log and final tables), `mutants` (the protocol with one thing wrong each: all must be
caught).
"""
