# SPDX-License-Identifier: Apache-2.0
"""Times Halite's training steps and PyTorch's in turn, and prints a table of medians.

    ./bazelw run //tests/bench/training:compare -- --python=/folder/bin/python3

pool MB is the most that Halite's memory pool gave out; Halite MB and PyTorch MB how far the peak
resident set of each process rises above its size before network and batch are made (the largest of
ours, the least of theirs).

--python names a Python that has torch; without torch there, Halite's column stands alone. Each
round runs each network in fresh processes, pinned to as many CPUs as it has threads.
"""

import argparse
import collections
import json
import os
import statistics
import subprocess
import sys
import tempfile

MODES = ("eager", "channels_last", "compile")


def run(command, threads):
    """Its standard output, or None if it failed (it has said why)."""
    cpus = sorted(os.sched_getaffinity(0))[:threads]
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False,
                          preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    return done.stdout if done.returncode == 0 else None


def halite(options, model, threads):
    with tempfile.NamedTemporaryFile("r") as file:
        run([options.program, f"--models={model}", f"--threads={threads}",
             f"--seconds={options.seconds}", f"--json={file.name}"], threads)
        return [json.loads(line) for line in file]


def torch(options, model, threads, mode):
    output = run([options.python, options.torch_steps, f"--models={model}", f"--mode={mode}",
                  f"--threads={threads}", f"--seconds={options.seconds}"], threads)
    return [json.loads(line) for line in (output or "").splitlines()]


def table(results):
    peers = sorted({peer for _, _, peer in results if peer != "halite"})
    print("| step | threads | Halite ms | " + " | ".join(peers) +
          " | best peer / Halite | pool MB | Halite MB | PyTorch MB |")
    print("|---|---:" + "|---:" * (len(peers) + 5) + "|")
    for case, threads in dict.fromkeys((case, threads) for case, threads, _ in results):
        own = results[case, threads, "halite"]
        mine = statistics.median(r["median_ms"] for r in own)
        theirs = {peer: statistics.median(r["median_ms"] for r in results[case, threads, peer])
                  for peer in peers if results.get((case, threads, peer))}
        cells = [f"{theirs[peer]:.2f}" if peer in theirs else "" for peer in peers]
        ratio = f"{min(theirs.values()) / mine:.2f}" if theirs else ""
        # The peers' least: of the modes, and of the processes.
        grown = [r["growth_mb"] for peer in theirs for r in results[case, threads, peer]]
        print(f"| {case} | {threads} | {mine:.2f} | " + " | ".join(cells) +
              f" | {ratio} | {max(r['peak_mb'] for r in own):.1f}"
              f" | {max(r['growth_mb'] for r in own):.1f}"
              f" | {min(grown, default=float('nan')):.1f} |")


def main():
    folder = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(folder, "training"), help="Halite's")
    parser.add_argument("--torch_steps", default=os.path.join(folder, "torch_steps.py"))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--models", default="mlp,lenet,resnet20,lstm,transformer")
    parser.add_argument("--modes", default="eager,channels_last",
                        help=",".join(MODES) + " of torch")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1, help="of each measurement")
    options = parser.parse_args()
    has_torch = subprocess.run([options.python, "-c", "import torch"], stderr=subprocess.DEVNULL,
                               check=False).returncode == 0
    if not has_torch:
        print(f"{options.python} has no torch: Halite alone", file=sys.stderr)
    results = collections.defaultdict(list)
    for turn in range(options.rounds):
        for threads in map(int, options.threads.split(",")):
            for model in options.models.split(","):
                print(f"round {turn + 1}: {model}, {threads} threads", file=sys.stderr)
                found = halite(options, model, threads)
                for mode in options.modes.split(",") if has_torch else ():
                    found += torch(options, model, threads, mode)
                for result in found:
                    results[result["case"], threads, result["peer"]].append(result)
    table(results)


if __name__ == "__main__":
    main()
