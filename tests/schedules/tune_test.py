# SPDX-License-Identifier: Apache-2.0
"""The tuner on a kernel whose tunings are slow, wrong, crash or hang: tune_test.py TUNER KERNELS.

The kernel probe takes the time of its number `repeat`: 4 is the fastest, 8 the default. The kernel
broken_probe has candidates with faults, all of which are fast.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TUNER, KERNELS = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
HEAD = '"""A table."""\n\nTUNINGS = [\n'
OTHER = '    ("avx2", "probe", "repeat:32", "another instruction set"),\n'


class TuneTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
        self.table = os.path.join(folder, "tunings.bzl")
        self.shapes = os.path.join(folder, "shapes.tsv")

    def write_table(self, lines=""):
        with open(self.table, "w") as file:
            file.write(HEAD + lines + "]\n")

    def read_table(self):
        with open(self.table) as file:
            return file.read()

    def entries(self):
        """(set, kernel) -> numbers."""
        text = self.read_table()
        self.assertTrue(text.startswith(HEAD) and text.endswith("]\n"), text)
        found = re.findall(r'^    \("(\w+)", "(\w+)", "([\w:,]*)", "[^"]*"\),$', text, re.M)
        self.assertEqual(len(found), text.count("\n") - HEAD.count("\n") - 1, text)
        return {(s, k): numbers for s, k, numbers in found}

    def command(self, *flags):
        return [TUNER, "--kernels=" + KERNELS, "--table=" + self.table, "--set=sse41",
                "--threads=1", "--time_limit=15", *flags]

    def tune(self, *flags, status=0):
        result = subprocess.run(self.command(*flags), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=200)
        self.assertEqual(result.returncode, status, result.stdout)
        return result.stdout

    def test_the_fastest_wins_and_stays(self):
        self.write_table(OTHER)
        self.tune("--op=probe", "--budget=30s")
        expected = {("avx2", "probe"): "repeat:32", ("sse41", "probe"): "repeat:4"}
        self.assertEqual({e: t for e, t in self.entries().items() if e[1] == "probe"}, expected)
        before = self.read_table()
        output = self.tune("--op=probe", "--budget=30s")
        self.assertEqual(self.read_table(), before)
        self.assertIn("repeat:4 stays", output)

    def test_a_slow_holder_is_replaced(self):
        self.write_table('    ("sse41", "probe", "repeat:32", "x"),\n')
        self.tune("--op=probe", "--budget=30s")
        self.assertEqual(self.entries()[("sse41", "probe")], "repeat:4")

    def test_defaults_that_beat_the_holder_take_its_entry_away(self):
        # They are four times as fast as the holder; repeat:4 is but twice as fast as they are.
        self.write_table(OTHER + '    ("sse41", "probe", "repeat:32", "x"),\n')
        self.tune("--op=probe", "--budget=20s", "--margin=1.7")
        self.assertEqual(self.entries(), {("avx2", "probe"): "repeat:32"})

    def test_the_users_shapes_are_taken(self):
        self.write_table()
        with open(self.shapes, "w") as file:
            file.write("# A list of the user's own.\nname\tn\na\t3000\nb\t7001\nc\t5\n")
        self.tune("--op=probe", "--budget=20s", "--shapes=" + self.shapes)
        self.assertIn("repeat:4", self.read_table())
        self.assertIn(" 3 cases", self.read_table())

    def test_broken_candidates_are_reported_and_never_written(self):
        self.write_table()
        output = self.tune("--op=broken_probe", "--budget=100s")
        lines = {}
        for line in output.splitlines():
            match = re.match(r"broken_probe/.*fault:(\d)\S* .*ERROR OCCURRED: '(.*)'", line)
            if match:
                lines[int(match.group(1))] = match.group(2)
        self.assertEqual(sorted(lines), [1, 2, 3, 4, 5, 6, 7], output)
        self.assertIn("wrong result: element", lines[1])
        self.assertIn("wrong result: element", lines[2])
        self.assertIn("nowhere", lines[3])
        self.assertIn("crashes: Aborted", lines[4])
        self.assertIn("hangs", lines[5])
        self.assertIn("crashes: Aborted", lines[6])
        self.assertIn("hangs", lines[7])
        self.assertEqual(self.entries(), {("sse41", "broken_probe"): "repeat:4"})

    def test_a_broken_holder_leaves_the_table(self):
        for broken in ("fault:1", "fault:4", "tile:4"):
            self.write_table(OTHER + f'    ("sse41", "broken_probe", "{broken}", "x"),\n')
            output = self.tune("--op=broken_probe", "--budget=0.001s")
            self.assertIn("is broken", output)
            self.assertEqual(self.entries(), {("avx2", "probe"): "repeat:32"})

    def test_without_enough_gain_nothing_is_written(self):
        self.write_table('    ("sse41", "probe", "repeat:32", "x"),\n')
        before = self.read_table()
        self.tune("--op=probe", "--budget=20s", "--margin=100")
        self.assertEqual(self.read_table(), before)

    def test_an_interrupt_keeps_what_was_found(self):
        self.write_table()
        process = subprocess.Popen(self.command("--op=probes", "--budget=200s"),
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   start_new_session=True)
        for _ in range(900):
            if "broken_probe" in self.read_table():
                break
            time.sleep(0.1)
        # As a terminal does: to the whole group.
        os.killpg(process.pid, signal.SIGINT)
        output = process.communicate(timeout=10)[0]
        self.assertIn("interrupted", output)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.entries(), {("sse41", "broken_probe"): "repeat:4"})
        with self.assertRaises(ProcessLookupError):  # no candidate is left
            os.killpg(process.pid, 0)

    def test_the_list_shows_candidates_and_the_table(self):
        self.write_table(OTHER)
        output = self.tune("--list")
        self.assertIn("repeat            8, or 32, 4", output)
        self.assertIn("avx2 repeat:32 (another instruction set)", output)
        self.assertNotIn("offset", output)  # has no candidates

    def test_the_list_fails_on_entries_that_nobody_asks_for(self):
        for line in ('("sse41", "probe", "tile:4", "x")', '("sse41", "gone", "repeat:4", "x")',
                     '("z80", "probe", "repeat:4", "x")'):
            self.write_table(f"    {line},\n")
            self.assertIn("error", self.tune("--list", status=1))

    def test_the_autoscheduler_is_reported_and_not_written(self):
        self.write_table()
        output = self.tune("--op=probe", "--budget=0.001s", "--autoscheduler=None")
        self.assertIn("probe/None", output)
        self.assertEqual(self.entries(), {})

    def test_mistakes_are_told(self):
        self.write_table()
        for flags, message in ((["--op=prope"], "--op=prope"), ([], "--op"),
                               (["--op=probe", "--budget=soon"], "--budget=soon"),
                               (["--op=probe", "--shapes=/nowhere"], "/nowhere"),
                               (["--op=probe", "--table=/nowhere"], "/nowhere")):
            self.assertIn(message, self.tune(*flags, status=1))
        with open(self.shapes, "w") as file:
            file.write("n\n0\n")
        self.assertIn("extents of at least 1",
                      self.tune("--op=probe", "--shapes=" + self.shapes, status=1))
        self.assertIn("--op", self.tune("--help"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
