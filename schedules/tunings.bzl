"""Tunings of kernels, written by the tuner (docs/tuning.md); the build reads them.

Instruction set, kernel, numbers of its schedule, how they were found.
"""

TUNINGS = [
]
