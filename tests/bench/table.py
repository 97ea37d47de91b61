#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tables of the peers benchmark's results: table.py FILE...

Each FILE holds what `peers --json` wrote, one object a line; of several results of one case the
median ratio counts. Prints Markdown: geometric means by family, and the cases below 0.9.
"""
import collections
import json
import math
import statistics
import sys


def read(paths):
    """(family, peer kind, threads) -> case -> results."""
    groups = collections.defaultdict(lambda: collections.defaultdict(list))
    for path in paths:
        with open(path) as lines:
            for line in lines:
                result = json.loads(line)
                kind = "blocked" if result["peer_name"].endswith("blocked") else "plain"
                key = (result["family"], kind, result["threads"])
                groups[key][result["case"]].append(result)
    return groups


def median(results):
    """The result with the median ratio."""
    ordered = sorted(results, key=lambda result: result["ratio"])
    return ordered[len(ordered) // 2]


def main(paths):
    if not paths or paths[0].startswith("-"):
        print(__doc__)
        return 0 if paths == ["--help"] else 1
    slow = []
    print("| family | peer | threads | cases | geometric mean | least | most |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for (family, kind, threads), cases in sorted(read(paths).items()):
        results = [median(results) for results in cases.values()]
        ratios = [result["ratio"] for result in results]
        mean = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))
        print(f"| {family} | {kind} | {threads} | {len(ratios)} | {mean:.2f} "
              f"| {min(ratios):.2f} | {max(ratios):.2f} |")
        slow += [(result["ratio"], result) for result in results if result["ratio"] < 0.9]
    print("\n| ratio | family | case | threads | Halite | peer | unit |")
    print("|---:|---|---|---:|---:|---:|---|")
    for ratio, result in sorted(slow, key=lambda entry: entry[0]):
        print(f"| {ratio:.2f} | {result['family']} | {result['case']} | {result['threads']} "
              f"| {result['halite']:.0f} | {result['peer']:.0f} ({result['peer_name']}) "
              f"| {result['unit']} |")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
