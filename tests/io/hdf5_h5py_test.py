# SPDX-License-Identifier: Apache-2.0
"""Our HDF5 files in h5py, and files of h5py in our reader: hdf5_h5py_test.py TOOL FOLDER."""

import os
import subprocess
import sys
import unittest

import h5py
import numpy as np

TOOL, FOLDER = sys.argv[1:3]


def path(name):
    return os.path.join(FOLDER, name)


def tool(*arguments):
    return subprocess.run([TOOL, *arguments], capture_output=True, text=True, timeout=300)


def load(name):
    """What our reader sees: {name: (need_grad, array)} in its order."""
    result = tool("dump", path(name))
    if result.returncode != 0:
        raise AssertionError("%d: %s" % (result.returncode, result.stderr))
    parameters = {}
    for line in result.stdout.splitlines():
        key, need_grad, shape, *values = line.split(" ")
        shape = [int(extent) for extent in shape.strip("[]").split(",") if extent]
        values = np.array([float.fromhex(value) for value in values], np.float32)
        parameters[key] = (need_grad == "1", values.reshape(shape))
    return parameters


class OursInH5py(unittest.TestCase):
    def setUp(self):
        self.assertEqual(tool("write", path("ours.h5")).returncode, 0)

    def test_values_shapes_and_attributes(self):
        with h5py.File(path("ours.h5"), "r") as file:
            w = file["conv1/conv/W"]
            self.assertEqual((w.shape, w.dtype, w.chunks), ((2, 1, 3, 3), np.dtype("<f4"), None))
            np.testing.assert_array_equal(w[()].ravel(), np.arange(18, dtype=np.float32) / 2)
            self.assertEqual(file["slope"][()], 0.25)
            self.assertEqual(file["slope"].shape, ())
            self.assertEqual(file["none"].shape, (0, 4))
            np.testing.assert_array_equal(file["affine/b"][()], np.float32([1e-40] * 3))
            self.assertEqual(len(file["many"]), 40)
            self.assertEqual(file["many/p17"][0], 17)
            mean = file["conv1/bn/mean"]
            for name, value, dtype in (("need_grad", 0, np.int32), ("index", 1, np.int64)):
                self.assertEqual((mean.attrs[name], mean.attrs[name].dtype), (value, dtype))
            names = []
            file.visititems(lambda name, item: names.append(name))
            self.assertEqual(len(names), 5 + 5 + 40)  # groups and arrays

    def test_h5py_can_change_them(self):
        with h5py.File(path("ours.h5"), "r+") as file:
            file["slope"][()] = 3
            file["conv1/conv/W"].attrs["need_grad"] = False
            file.create_dataset("conv1/conv/b", data=np.ones(2, np.float32))
            del file["affine"]
        parameters = load("ours.h5")
        self.assertEqual(parameters["slope"][1], 3)
        self.assertFalse(parameters["conv1/conv/W"][0])
        self.assertEqual(parameters["conv1/conv/b"][1].tolist(), [1, 1])
        self.assertNotIn("affine/b", parameters)


class TheirsInOurs(unittest.TestCase):
    def check(self, arrays, **options):
        """Writes the arrays with h5py's options, and compares what our reader sees."""
        file_options = {key: options.pop(key) for key in ("libver", "track_order")
                        if key in options}
        with h5py.File(path("theirs.h5"), "w", **file_options) as file:
            for name, array in arrays.items():
                file.create_dataset(name, data=array, **options)
        parameters = load("theirs.h5")
        self.assertEqual(set(parameters), set(arrays))
        for name, array in arrays.items():
            np.testing.assert_array_equal(parameters[name][1], np.asarray(array, np.float32))

    def random(self, *shape):
        return np.random.RandomState(313).randn(*shape).astype(np.float32)

    def test_element_types(self):
        values = [0, 1, 2, 100]
        for dtype in ("u1 i1 <u2 >u2 <i2 >i2 <u4 <i4 >i4 <u8 <i8 >i8 "
                      "<f2 >f2 <f4 >f4 <f8 >f8").split():
            with self.subTest(dtype):
                array = np.array(values, dtype)
                self.check({"x": array if dtype[-2] == "u" else -array})
        special = np.float16([np.nan, np.inf, -np.inf, -0.0, 6e-8, 65504, 0.333])
        self.check({"half": special, "double": special.astype(np.float64)})
        self.check({"bool": np.array([True, False])})

    def test_shapes(self):
        self.check({"scalar": np.float32(2), "empty": np.zeros((0, 3), np.float32),
                    "deep": self.random(1, 2, 1, 3, 1, 2, 1)})

    def test_chunks_and_filters(self):
        x = self.random(13, 17, 5)
        self.check({"x": x}, chunks=(4, 5, 5))
        self.check({"x": x}, chunks=(13, 17, 5))
        self.check({"x": x}, chunks=(1, 1, 1))
        self.check({"x": x}, chunks=(4, 5, 2), compression="gzip")
        self.check({"x": x, "y": x.astype(np.float64)}, chunks=(4, 5, 2), compression="gzip",
                   shuffle=True, fletcher32=True)
        self.check({"x": x.astype(np.float16)}, compression="gzip", compression_opts=9,
                   shuffle=True)
        self.check({"x": x}, chunks=(3, 3, 3), fletcher32=True)
        self.check({"x": x}, maxshape=(None, None, None), chunks=True)
        with h5py.File(path("odd.h5"), "w") as file:  # an odd number of bytes in the checksum
            file.create_dataset("x", data=np.arange(7, dtype="u1"), chunks=(7,), fletcher32=True)
        self.assertEqual(load("odd.h5")["x"][1].tolist(), list(range(7)))

    def test_parts_never_written_are_the_fill_value(self):
        with h5py.File(path("fill.h5"), "w") as file:
            file.create_dataset("zero", (3,), "f4")
            file.create_dataset("seven", (2, 2), "f4", fillvalue=7)
            sparse = file.create_dataset("sparse", (4, 4), "f8", chunks=(2, 2), fillvalue=-1)
            sparse[2:, 2:] = 5
        parameters = load("fill.h5")
        self.assertEqual(parameters["zero"][1].tolist(), [0, 0, 0])
        self.assertEqual(parameters["seven"][1].tolist(), [[7, 7], [7, 7]])
        expected = np.full((4, 4), -1.0)
        expected[2:, 2:] = 5
        np.testing.assert_array_equal(parameters["sparse"][1], expected)

    def test_many_members_and_levels(self):
        self.check({"g/%05d" % i: np.float32([i]) for i in range(3000)})
        self.check({"/".join("abcdefghij"[: i + 1]) + "/x": np.float32(i) for i in range(10)})

    def test_newer_formats(self):
        arrays = {"a/W": self.random(3, 4), "a/b": self.random(4), "s": np.float32(1)}
        arrays.update({"many/p%d" % i: self.random(2) for i in range(40)})
        self.check(arrays, libver="latest")
        self.check(arrays, libver=("earliest", "v108"))
        self.check(arrays, track_order=True)
        # The indexes of chunks: single, fixed array, extensible array, B-tree.
        x = self.random(12, 12)
        self.check({"x": x}, libver="latest", chunks=(12, 12), compression="gzip")
        self.check({"x": x}, libver="latest", chunks=(5, 5), compression="gzip")
        self.check({"x": x}, libver="latest", chunks=(5, 5), maxshape=(None, 12))
        self.check({"x": x}, libver="latest", chunks=(5, 5), maxshape=(None, None))

    def test_a_block_of_other_data_in_front(self):
        with h5py.File(path("block.h5"), "w", userblock_size=512) as file:
            file.create_dataset("x", data=np.arange(9, dtype=np.float32))
        self.assertEqual(load("block.h5")["x"][1].tolist(), list(range(9)))

    def test_attributes(self):
        with h5py.File(path("attributes.h5"), "w") as file:
            kinds = {"bool": True, "numpy": np.bool_(False), "int32": np.int32(0), "int64": 1,
                     "u1": np.uint8(0), "array": np.int32([0]), "missing": None}
            for i, (name, need_grad) in enumerate(kinds.items()):
                data = file.create_dataset(name, data=np.float32([i]))
                data.attrs["index"] = np.int32(100 - i) if i % 2 else 100 - i
                data.attrs["comment"] = "text of any length " * i
                data.attrs["list"] = np.arange(5)
                for extra in range(12):
                    data.attrs["extra%d" % extra] = extra
                if need_grad is not None:
                    data.attrs["need_grad"] = need_grad
        parameters = load("attributes.h5")
        self.assertEqual(list(parameters), list(kinds)[::-1])
        flags = {name: need_grad for name, (need_grad, _) in parameters.items()}
        self.assertEqual(flags, {"bool": True, "numpy": False, "int32": False, "int64": True,
                                 "u1": False, "array": False, "missing": True})

    def test_what_is_not_read_is_refused_by_name(self):
        def refused(write, message):
            with h5py.File(path("refused.h5"), "w") as file:
                write(file)
            result = tool("dump", path("refused.h5"))
            self.assertEqual(result.returncode, 1, result)
            self.assertIn(message, result.stderr)

        def link(value):
            def write(file):
                file.create_dataset("a", data=np.float32(1))
                file["link"] = file["a"] if value is None else value
            return write

        refused(link(h5py.SoftLink("/a")), "the soft link 'link'")
        refused(link(h5py.ExternalLink("other.h5", "/a")), "the external link 'link'")
        refused(link(None), "a second name of the object")
        refused(lambda file: file.create_group("g").__setitem__("loop", file["/"]), "second name")
        refused(lambda file: file.create_dataset("t", data=np.zeros(2, "i4,f4")), "t: element type")
        refused(lambda file: file.create_dataset("s", data=["a", "b"]), "s: element type")
        refused(lambda file: file.create_dataset("z", data=np.zeros(9), compression="lzf"),
                "filter")
        refused(lambda file: file.create_dataset("e", (4,), "f4", external=[("/etc/x", 0, 16)]),
                "data in other files")

    def test_damaged_files_never_crash(self):
        for options in ({}, {"libver": "latest"}):
            with h5py.File(path("damage.h5"), "w", **options) as file:
                for i in range(5):
                    data = file.create_dataset("g%d/W" % i, data=self.random(3, 3))
                    data.attrs["need_grad"] = True
                if not options:
                    file.create_dataset("z", data=self.random(40, 10), chunks=(7, 7),
                                        compression="gzip", shuffle=True)
            result = tool("damage", path("damage.h5"), path("damaged.h5"), "400")
            self.assertEqual(result.returncode, 0, result)
            refused, crashed = [int(number) for number in result.stdout.split()]
            self.assertGreater(refused, 120)
            print("libhdf5 crashed on %d of 400 damaged files" % crashed)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
