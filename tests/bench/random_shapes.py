#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shapes that nobody tuned for: random_shapes.py KIND [--count=N] [--seed=N] [--work=N] > FILE

Writes N products (KIND matmul) or convolutions (KIND convolution) of at most `work` multiply-adds
for `peers --shapes=FILE`. Extents are spread evenly over their logarithms. One seed gives the same
shapes on every machine.
"""
import argparse
import random


def extent(most):
    """From 1 to `most`."""
    return int(most ** random.random())


def matmul(work):
    while True:
        m, n, k = (extent(4096) for _ in range(3))
        if m * n * k <= work:
            a_t, b_t = (random.choice(["false", "true"]) for _ in range(2))
            return {"m": m, "n": n, "k": k, "a_t": a_t, "b_t": b_t}


def convolution(work):
    while True:
        batch = random.choice([1, 1, 2, 4, 8, 32])
        inputs, outputs, group = extent(700), extent(700), 1
        if random.random() < 0.15:
            outputs = group = inputs  # depthwise
        elif random.random() < 0.1:
            group = random.choice([2, 4, 8])
            inputs, outputs = inputs * group, outputs * group
        height = random.randint(5, 30) if random.random() < 0.7 else random.randint(31, 150)
        width = height if random.random() < 0.7 else random.randint(5, 150)
        taps = random.choice([1, 1, 2, 3, 3, 3, 3, 4, 5, 5, 7, 11])
        stride, pad = random.choice([1, 1, 1, 2, 2, 3]), random.choice([0, taps // 2])
        if min(height, width) + 2 * pad < taps:
            continue
        out_height, out_width = ((x + 2 * pad - taps) // stride + 1 for x in (height, width))
        pixels = batch * out_height * out_width
        arrays = max(batch * inputs * height * width, outputs * pixels)
        adds = pixels * outputs * (inputs // group) * taps * taps
        if adds <= work and arrays <= work // 50 + 500_000:
            return {"mb": batch, "ic": inputs, "oc": outputs, "group": group, "ih": height,
                    "iw": width, "kh": taps, "kw": taps, "sh": stride, "sw": stride, "ph": pad,
                    "pw": pad}


def main():
    kinds = {"matmul": matmul, "convolution": convolution}
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(kinds))
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=int, default=400_000_000)
    flags = parser.parse_args()
    random.seed(flags.seed)
    rows = [kinds[flags.kind](flags.work) for _ in range(flags.count)]
    print("\t".join(rows[0]))
    for row in rows:
        print("\t".join(str(value) for value in row.values()))


if __name__ == "__main__":
    main()
