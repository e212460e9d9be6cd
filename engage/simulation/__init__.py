"""The virtual world: the real engine, in one process, over a database of its own and a clock that jumps.

`ground` has the empty database with a project applied, `world` the engine, its time and its inbox; `channels` the ways
out, which end in this process; `settings` what is set where nothing is configured. On top of them stands `engage test`.

Nothing here opens a socket, and nothing needs a secret. Nothing here is a second engine: what a journey means is what
the loops of `runtime` do.
"""
