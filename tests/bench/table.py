#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tables of the peers benchmark's results: table.py FILE...

Each FILE holds what `peers --json` wrote, one object a line; of several results of one case the
median ratio counts. Prints Markdown: the ratios by family, peer and number of threads (geometric
mean, least, most), with "best", the fastest peer of each case on plain arrays, where a family has
several; and the cases below 0.8 of the best.
"""
import collections
import json
import math
import statistics
import sys


def read(paths):
    """(family, threads, peer) -> case -> results."""
    groups = collections.defaultdict(lambda: collections.defaultdict(list))
    for path in paths:
        with open(path) as lines:
            for line in lines:
                result = json.loads(line)
                library, *way = result["peer_name"].split()
                peer = f"{library} blocked" if way == ["blocked"] else library
                groups[result["family"], result["threads"], peer][result["case"]].append(result)
    return groups


def least_favourable(results):
    return min(results, key=lambda result: result["ratio"])


def median(results):
    return sorted(results, key=lambda result: result["ratio"])[len(results) // 2]


def add_best(groups):
    """The medians of each group, with groups of the peer "best"."""
    medians = {group: {case: median(results) for case, results in cases.items()}
               for group, cases in groups.items()}
    plain = collections.defaultdict(lambda: collections.defaultdict(list))
    for (family, threads, peer), cases in medians.items():
        if not peer.endswith("blocked"):
            for case, result in cases.items():
                plain[family, threads, "best"][case].append(result)
    for group, cases in plain.items():
        medians[group] = {case: least_favourable(results) for case, results in cases.items()}
    return medians


def print_families(medians):
    peers = collections.Counter((family, threads) for family, threads, peer in medians
                                if not peer.endswith("blocked"))
    print("| family | peer | threads | cases | geometric mean | least | most |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for (family, threads, peer), cases in sorted(medians.items()):
        if peer == "best" and peers[family, threads] == 2:
            continue  # itself and the only one
        ratios = [result["ratio"] for result in cases.values()]
        mean = math.exp(statistics.fmean(map(math.log, ratios)))
        print(f"| {family} | {peer} | {threads} | {len(ratios)} | {mean:.2f} "
              f"| {min(ratios):.2f} | {max(ratios):.2f} |")


def print_losing(medians):
    print("| ratio | family | case | threads | Halite | peer | unit |")
    print("|---:|---|---|---:|---:|---:|---|")
    results = [result for (_, _, peer), cases in medians.items() if peer == "best"
               for result in cases.values() if result["ratio"] < 0.8]
    for result in sorted(results, key=lambda result: result["ratio"]):
        print(f"| {result['ratio']:.2f} | {result['family']} | {result['case']} "
              f"| {result['threads']} | {result['halite']:.3g} "
              f"| {result['peer']:.3g} ({result['peer_name']}) | {result['unit']} |")


def main(paths):
    if not paths or paths[0].startswith("-"):
        print(__doc__)
        return 0 if paths == ["--help"] else 1
    medians = add_best(read(paths))
    print_families(medians)
    print()
    print_losing(medians)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
