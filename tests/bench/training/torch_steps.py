# SPDX-License-Identifier: Apache-2.0
"""The training steps of models.h in PyTorch: one JSON object a line, as training --json writes.

    python3 torch_steps.py --threads=1 --models=mlp,lenet --mode=eager [--seconds=2]

Modes: eager, channels_last (images alone), compile. A step is forward, cross entropy, backward and
update (fused), on one batch that stays. growth_mb is how far the process's peak resident set rises
above its size before network and batch are made, with the library's code and its workspaces there
already: two steps of a batch of 2 ran before.
"""

import argparse
import ctypes
import gc
import json
import time

import torch
import torch.nn.functional as F
from torch import nn


def mlp():
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(),
                         nn.Linear(256, 10))


def lenet():
    return nn.Sequential(nn.Conv2d(1, 16, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(16, 16, 5),
                         nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(256, 50), nn.ReLU(),
                         nn.Linear(50, 10))


def convolution_bn(channels, maps, kernel, stride):
    return nn.Sequential(nn.Conv2d(channels, maps, kernel, stride, kernel // 2, bias=False),
                         nn.BatchNorm2d(maps))


class ResidualBlock(nn.Module):
    def __init__(self, channels, maps, stride):
        super().__init__()
        self.first = convolution_bn(channels, maps, 3, stride)
        self.second = convolution_bn(maps, maps, 3, 1)
        same = stride == 1 and channels == maps
        self.shortcut = nn.Identity() if same else convolution_bn(channels, maps, 1, stride)

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


def resnet20():
    layers = [convolution_bn(3, 16, 3, 1), nn.ReLU()]
    channels = 16
    for maps in (16, 32, 64):
        for block in range(3):
            layers.append(ResidualBlock(channels, maps, 2 if maps > 16 and block == 0 else 1))
            channels = maps
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = nn.LSTM(28, 128, batch_first=True)
        self.output = nn.Linear(128, 10)

    def forward(self, x):
        return self.output(self.cells(x)[0][:, -1])


class TransformerLayer(nn.Module):
    def __init__(self, size=256, heads=4, inner=1024):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.qkv, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.inner, self.outer = nn.Linear(size, inner), nn.Linear(inner, size)

    def forward(self, x):
        batch, steps, size = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, steps, 3, self.heads, size // self.heads)
        y = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4))
        x = x + self.out(y.transpose(1, 2).reshape(batch, steps, size))
        return x + self.outer(F.gelu(self.inner(self.norm2(x)), approximate="tanh"))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*[TransformerLayer() for _ in range(4)])
        self.norm, self.output = nn.LayerNorm(256), nn.Linear(256, 10)

    def forward(self, x):
        return self.output(self.norm(self.layers(x)).mean(1))


# Name -> constructor, batch, solvers. The shapes are those of models.cc.
MODELS = {
    "mlp": (mlp, (64, 784), ("momentum", "adam")),
    "lenet": (lenet, (64, 1, 28, 28), ("momentum", "adam")),
    "resnet20": (resnet20, (128, 3, 32, 32), ("momentum",)),
    "lstm": (Lstm, (64, 28, 28), ("momentum",)),
    "transformer": (Transformer, (16, 128, 256), ("adam",)),
}


def make_step(name, solver, mode, batch):
    """A function that runs one step."""
    make, shape, _ = MODELS[name]
    model, x = make(), torch.randn(batch, *shape[1:])
    target = torch.randint(0, 10, (batch,))
    if mode == "channels_last":
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    run = torch.compile(model) if mode == "compile" else model
    if solver == "adam":
        optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    else:
        optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(run(x), target)
        loss.backward()
        optimizer.step()
        return loss.item()

    step(), step()
    return step


def resident_mb(field):
    """VmRSS, the resident set of this process, or VmHWM, its peak."""
    with open("/proc/self/status", encoding="ascii") as status:
        kib = next(line.split()[1] for line in status if line.startswith(field + ":"))
    return int(kib) * 1024 / 1e6


def reset_resident():
    """Gives freed memory back, starts VmHWM anew, and returns the resident set."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")
    return resident_mb("VmRSS")


def time_steps(name, solver, options):
    """Seconds of each step, and growth_mb."""
    make_step(name, solver, options.mode, 2)
    before = reset_resident()
    step = make_step(name, solver, options.mode, MODELS[name][1][0])
    seconds, start = [], time.perf_counter()
    while len(seconds) < 7 or time.perf_counter() - start < options.seconds:
        begin = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begin)
    return sorted(seconds), resident_mb("VmHWM") - before


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--mode", default="eager", choices=["eager", "channels_last", "compile"])
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    for name in options.models.split(","):
        if options.mode == "channels_last" and len(MODELS[name][1]) != 4:
            continue
        for solver in MODELS[name][2]:
            seconds, growth = time_steps(name, solver, options)
            print(json.dumps({
                "case": f"{name}_{solver}_b{MODELS[name][1][0]}",
                "peer": f"torch-{options.mode}",
                "threads": options.threads,
                "median_ms": round(seconds[len(seconds) // 2] * 1e3, 5),
                "least_ms": round(seconds[0] * 1e3, 5),
                "growth_mb": round(growth, 1),
            }), flush=True)


if __name__ == "__main__":
    main()
