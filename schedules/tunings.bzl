"""Tunings of kernels, written by the tuner (docs/tuning.md); the build reads them.

Instruction set, kernel, numbers of its schedule, how they were found.
"""

TUNINGS = [
    ("zen4", "softmax_grad", "tile:128", "1.04 times as fast as the defaults, 16 cases, AMD EPYC"),
    ("zen4", "sum_grad", "grain:131072", "1.04 times as fast as the defaults, 16 cases, AMD EPYC"),
]
