# SPDX-License-Identifier: Apache-2.0
"""PyTorch as a side of the peers benchmark (side.h, whose protocol it speaks): torch_side.py FD.

FD is the shared memory. A line of JSON (peer_cases.h) is the next case, whose inputs and gradients
of the outputs lie there as float32, one after the other; a case without a function here has no way.
Passes backward are autograd's, on a graph that stays.
"""
import json
import math
import mmap
import os
import sys
import time

import torch
import torch.nn.functional as F


def transposed(x, yes):
    return x.transpose(-1, -2) if yes else x


def norm_parameters(x):
    """gamma and beta of (x, beta, gamma)."""
    return {"weight": x[2].flatten(), "bias": x[1].flatten()}


# Functions of the inputs and the options.
FUNCTIONS = {
    "batch_matmul": lambda x, o: torch.matmul(transposed(x[0], o["transpose_a"]),
                                              transposed(x[1], o["transpose_b"])),
    "convolution": lambda x, o: F.conv2d(x[0], x[1], x[2], o["stride"], o["pad"], 1, o["group"]),
    "max_pooling": lambda x, o: F.max_pool2d(x[0], o["kernel"], o.get("stride"), o.get("pad", 0)),
    "average_pooling": lambda x, o: F.avg_pool2d(x[0], o["kernel"], o.get("stride"),
                                                 o.get("pad", 0)),
    "batch_normalization": lambda x, o: F.batch_norm(x[0], None, None, training=True,
                                                     **norm_parameters(x)),
    "layer_normalization": lambda x, o: F.layer_norm(x[0], x[0].shape[-1:], **norm_parameters(x)),
    "softmax": lambda x, o: F.softmax(x[0], 1),
    "relu": lambda x, o: F.relu(x[0]),
    "leaky_relu": lambda x, o: F.leaky_relu(x[0], 0.1),
    "abs": lambda x, o: torch.abs(x[0]),
    "exp": lambda x, o: torch.exp(x[0]),
    "log": lambda x, o: torch.log(x[0]),
    "sigmoid": lambda x, o: torch.sigmoid(x[0]),
    "tanh": lambda x, o: torch.tanh(x[0]),
    "elu": lambda x, o: F.elu(x[0]),
    "swish": lambda x, o: F.silu(x[0]),
    "gelu": lambda x, o: F.gelu(x[0]),
    "add2": lambda x, o: torch.add(x[0], x[1]),
    "mul2": lambda x, o: torch.mul(x[0], x[1]),
    "div2": lambda x, o: torch.div(x[0], x[1]),
    "maximum2": lambda x, o: torch.maximum(x[0], x[1]),
    "sum": lambda x, o: torch.sum(x[0], o["axes"]),
    "mean": lambda x, o: torch.mean(x[0], o["axes"]),
    "max": lambda x, o: torch.amax(x[0], o["axes"]),
    "transpose": lambda x, o: x[0].permute(o["axes"]).contiguous(),
    "concatenate": lambda x, o: torch.cat(x, o["axis"]),
    "embed": lambda x, o: F.embedding(x[0].long(), x[1]),
}

SOLVERS = {
    "sgd": lambda w: torch.optim.SGD(w, lr=1e-3, fused=True),
    # As Halite's: the rate inside the velocity changes nothing while it stays.
    "momentum": lambda w: torch.optim.SGD(w, lr=1e-3, momentum=0.9, fused=True),
    "adam": lambda w: torch.optim.Adam(w, lr=1e-3, fused=True),
}

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


class Memory:
    """Arrays out of the shared memory, one after the other, and results into it."""

    def __init__(self, descriptor):
        self.map = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
        self.offset = 0

    def at(self, offset, count):
        return torch.frombuffer(self.map, dtype=torch.float32, count=count, offset=offset)

    def take(self, shape):
        count = math.prod(shape)
        values = self.at(self.offset, count).reshape(shape).clone()
        self.offset += 4 * count
        return values

    def put(self, values):
        values = values.detach().flatten()
        self.at(0, values.numel()).copy_(values)
        return values.numel()


class Way:
    """Runs a case; the result is that of the last run."""

    def __init__(self, case, x, take, memory_format):
        self.options = case["options"]
        self.function = FUNCTIONS[case["function"]]
        forward = case["pass"] == "forward"
        data, weights = {"forward": (False, False), "backward": (True, True),
                         "backward_data": (True, False),
                         "backward_weights": (False, True)}[case["pass"]]
        self.x = [v.to(memory_format=memory_format) if v.dim() == 4 else v for v in x]
        for i, value in enumerate(self.x):
            value.requires_grad_(weights if i else data)
        self.wanted = [value for value in self.x if value.requires_grad]
        self.run = self.forward if forward else self.backward
        with torch.set_grad_enabled(not forward):
            self.forward()
        if not forward:
            self.y = self.result
            self.dy = take(self.y.shape).to(memory_format=memory_format if self.y.dim() == 4
                                            else torch.contiguous_format)

    def forward(self):
        self.result = self.function(self.x, self.options)

    def backward(self):
        self.result = torch.autograd.grad(self.y, self.wanted, self.dy, retain_graph=True,
                                          allow_unused=True)[0]


class Update:
    """A step of a solver."""

    def __init__(self, case, take):
        self.result = take(case["shapes"][0]).requires_grad_()
        self.result.grad = take(case["shapes"][0])
        self.run = SOLVERS[case["function"]]([self.result]).step


def ways_of(case, memory):
    torch.set_num_threads(case["threads"])
    memory.offset = 0
    if case["function"] in SOLVERS:
        return {"fused": Update(case, memory.take)}
    if case["function"] not in FUNCTIONS:
        return {}
    x = [memory.take(shape) for shape in case["shapes"]]
    after_inputs = memory.offset

    def take(shape):
        memory.offset = after_inputs
        return memory.take(shape)

    ways = {"plain": Way(case, x, take, torch.contiguous_format)}
    if case["function"] == "convolution":
        copies = [value.detach().clone() for value in x]
        ways["channels_last"] = Way(case, copies, take, torch.channels_last)
    return ways


def seconds(run, times, now):
    if times > 1:
        run()
    batch = max(times // 8, 1)
    least = math.inf
    for _ in range(0, times, batch):
        start = now()
        for _ in range(batch):
            run()
        least = min(least, (now() - start) / batch)
    return least


def main():
    memory = Memory(int(sys.argv[1]))
    ways = {}
    for line in sys.stdin:
        words = line.split()
        try:
            if words[0] == "run":
                way = list(ways.values())[int(words[1])]
                with torch.no_grad():
                    answer = seconds(way.run, int(words[2]), CLOCKS[words[3]])
            elif words[0] == "result":
                answer = memory.put(list(ways.values())[int(words[1])].result)
            else:
                ways = {}  # frees memory
                ways = ways_of(json.loads(line), memory)
                answer = " ".join(ways)
        except Exception as error:  # told, not fatal: the next case may do
            answer = "error " + " ".join(str(error).split())
        print(answer, flush=True)


if __name__ == "__main__":
    main()
