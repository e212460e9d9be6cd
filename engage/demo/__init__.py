"""The main job, shown: the real engine and the simulators in one process, under a virtual clock.

The loops are those of the daemon. The clock steps to the next due moment once the engine and the simulators are idle,
so that a one-minute reply window stays one minute however many days pass in a second.
"""
