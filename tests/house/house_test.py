# SPDX-License-Identifier: Apache-2.0
"""Keeps the house in order: layering, file heads and lengths, rules for kernels.

Reads the sources of the repository (all of them are data of the test).
"""

import os
import re
import unittest

ROOT = os.getcwd()
FOLDERS = ("core", "ops", "schedules", "solvers", "io", "examples", "tests")

# Folder -> folders whose headers it may include. ops/algorithms counts as a folder of its own.
LAYERS = {
    "core": {"core"},
    "ops/algorithms": {"ops/algorithms"},
    "ops": {"core", "ops"},
    "schedules": {"ops/algorithms", "schedules"},
    "solvers": {"core", "ops", "solvers"},
    "io": {"core", "ops", "solvers", "io"},
}


def sources():
    for folder in FOLDERS:
        for path, _, names in os.walk(os.path.join(ROOT, folder), followlinks=True):
            for name in names:
                if name.endswith((".h", ".cc")):
                    full = os.path.join(path, name)
                    with open(full, encoding="utf-8") as file:
                        yield os.path.relpath(full, ROOT), file.read()


def layer(path):
    return "ops/algorithms" if path.startswith("ops/algorithms/") else path.split("/")[0]


def code(text):
    """The text without comments and string literals."""
    text = re.sub(r'"(\\.|[^"\\\n])*"', '""', text)
    return re.sub(r"//[^\n]*", "", text)


class HouseTest(unittest.TestCase):
    def test_there_are_sources(self):
        self.assertGreater(len(list(sources())), 80)

    def test_folders_include_only_what_they_may(self):
        for path, text in sources():
            allowed = LAYERS.get(layer(path))
            if allowed is None:
                continue
            for header in re.findall(r'#include "halite/([^"]+)"', text):
                self.assertIn(layer(header), allowed, f"{path} includes {header}")
            includes_halide = '#include "Halide.h"' in text
            self.assertFalse(includes_halide and layer(path) not in ("ops/algorithms", "schedules"),
                             f"{path} includes Halide.h")
            if layer(path) != "io":
                self.assertNotIn("#include <hdf5", text, path)

    def test_files_have_a_head_and_an_end(self):
        for path, text in sources():
            lines = text.split("\n")
            self.assertEqual(lines[0], "// SPDX-License-Identifier: Apache-2.0", path)
            self.assertLessEqual(len(lines), 601, f"{path} is too long")
            self.assertLessEqual(max(len(line) for line in lines), 100, f"{path}: long line")

    def test_no_exceptions_and_no_unfinished_work(self):
        for path, text in sources():
            if layer(path) not in ("schedules", "ops/algorithms"):
                self.assertIsNone(re.search(r"\b(throw|catch)\b", code(text)), path)
            self.assertIsNone(re.search(r"\b(TODO|FIXME|XXX)\b", text), path)

    def test_kernels_name_their_tails_and_use_our_mathematics(self):
        halides = r"(?<![\w:])(Halide::)?(exp|log|pow|erf|tanh|sin|cos|fast_exp|fast_log)\("
        for path, text in sources():
            if layer(path) not in ("schedules", "ops/algorithms"):
                continue
            self.assertNotIn("TailStrategy::Auto", text, path)
            if path != "ops/algorithms/math.h":
                self.assertIsNone(re.search(halides, code(text)), path)
            self.assertNotIn("gpu_lanes", code(text), path)
            self.assertNotIn("no_asserts", text, path)


if __name__ == "__main__":
    unittest.main()
