"""Tunings of this workspace's own kernels, written by its tuner (docs/tuning.md of Halite).

Instruction set, kernel, numbers of its schedule, how they were found.
"""

TUNINGS = [
]
