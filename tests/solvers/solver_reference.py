# SPDX-License-Identifier: Apache-2.0
"""Makes solver_reference.tsv: parameters after each of five updates, by NumPy in float64.

Three parameters of shapes (4, 3), (5,) and () get gradients that change from step to step. Columns:
solver, weight decay rate, step, parameter, values.

    python3 solver_reference.py > solver_reference.tsv
"""

import numpy as np

SHAPES = [(4, 3), (5,), ()]
STEPS = 5


def values(shape, seed):
    """Deterministic numbers in [-1, 1]; the test makes the same ones."""
    count = int(np.prod(shape, dtype=int))
    return np.sin(np.arange(count) * 1.7 + seed).reshape(shape)


class Sgd:
    def __init__(self, w):
        self.lr = 0.1

    def update(self, w, g, t, wd):
        w -= self.lr * g


class Momentum:
    def __init__(self, w):
        self.lr, self.momentum, self.m = 0.1, 0.9, np.zeros_like(w)

    def update(self, w, g, t, wd):
        self.m[...] = self.momentum * self.m + self.lr * g
        w -= self.m


class Nesterov:
    def __init__(self, w):
        self.lr, self.momentum, self.m = 0.1, 0.9, np.zeros_like(w)

    def update(self, w, g, t, wd):
        previous = self.m.copy()
        self.m[...] = self.momentum * self.m - self.lr * g
        w += -self.momentum * previous + (1 + self.momentum) * self.m


class Adam:
    fused_decay = 0.0

    def __init__(self, w):
        self.alpha, self.beta1, self.beta2, self.eps = 0.01, 0.9, 0.999, 1e-8
        self.m, self.v = np.zeros_like(w), np.zeros_like(w)

    def update(self, w, g, t, wd):
        self.m[...] = self.beta1 * self.m + (1 - self.beta1) * g
        self.v[...] = self.beta2 * self.v + (1 - self.beta2) * g * g
        rate = self.alpha * np.sqrt(1 - self.beta2**t) / (1 - self.beta1**t)
        w -= rate * self.m / (np.sqrt(self.v) + self.eps) + wd * w


class AdamW(Adam):
    fused_decay = 1e-4


def main():
    for solver in (Sgd, Momentum, Nesterov, Adam, AdamW):
        for rate in (0.0, 0.05):
            ws = [values(shape, i).copy() for i, shape in enumerate(SHAPES)]
            solvers = [solver(w) for w in ws]
            for step in range(1, STEPS + 1):
                for i, (w, s) in enumerate(zip(ws, solvers)):
                    g = values(w.shape, 10 * step + i).copy()
                    fused = getattr(s, "fused_decay", 0.0)
                    if fused == 0.0:
                        g += rate * w
                        s.update(w, g, step, 0.0)
                    else:
                        # A rate given to WeightDecay replaces the default of this update.
                        s.update(w, g, step, rate if rate else fused)
                    text = " ".join("%.17g" % x for x in w.ravel())
                    print(f"{solver.__name__.lower()}\t{rate}\t{step}\t{i}\t{text}")


if __name__ == "__main__":
    main()
