"""@halide: the Halide 21 compiler and run-time headers, from PyPI's wheel.

HALITE_HALIDE_ROOT=<prefix with include/ and lib64/ or lib/> uses another Halide.
HALITE_PYTHON=<python3> picks the interpreter whose pip downloads the wheel.
"""

_VERSION = "21.0.0"
_SHA256 = "3686c2b4c9aed1e26e1e55631608b2c4a4c3fe2d4386505ba1921859adb683ab"

_BUILD = '''
package(default_visibility = ["//visibility:public"])

licenses(["notice"])

# What a compiled kernel and the run time see.
cc_library(
    name = "runtime",
    hdrs = glob(["include/HalideRuntime*.h", "include/HalideBuffer.h"]),
    includes = ["include"],
)

cc_import(
    name = "libHalide",
    shared_library = "{lib}/libHalide.so",
)

# The compiler as a library: generators, the tuner.
cc_library(
    name = "language",
    hdrs = ["include/Halide.h"],
    includes = ["include"],
    deps = [":libHalide", ":runtime"],
)

# Halide's autoscheduler of that name: the tuner compares with it.
filegroup(
    name = "adams2019",
    srcs = ["{lib}/libautoschedule_adams2019.so"],
)

# main() of a generator program.
cc_import(
    name = "gengen",
    static_library = "{lib}/libHalide_GenGen.a",
    alwayslink = True,
)
'''

def _local(ctx, root):
    lib = "lib64" if ctx.path(root + "/lib64/libHalide.so").exists else "lib"
    for need in ["include/Halide.h", lib + "/libHalide.so", lib + "/libHalide_GenGen.a"]:
        if not ctx.path(root + "/" + need).exists:
            fail("HALITE_HALIDE_ROOT=%s holds no %s: it must name the prefix of a Halide %s installation." %
                 (root, need, _VERSION))
    ctx.symlink(root + "/include", "include")
    ctx.symlink(root + "/" + lib, lib)
    return lib

def _python_with_pip(ctx):
    """HALITE_PYTHON, else the first python3 that has pip (an active virtual environment may not)."""
    asked = ctx.os.environ.get("HALITE_PYTHON", "")
    for python in [asked] if asked else [ctx.which("python3"), "/usr/bin/python3"]:
        if python and ctx.execute([python, "-m", "pip", "--version"]).return_code == 0:
            return python
    fail("@halide needs python3 with pip: apt install python3 python3-pip (or set HALITE_HALIDE_ROOT).")

def _download(ctx):
    python = _python_with_pip(ctx)
    ctx.file("requirements.txt", "halide==%s --hash=sha256:%s\n" % (_VERSION, _SHA256))
    ctx.report_progress("downloading halide %s (69 MB)" % _VERSION)
    result = ctx.execute(
        [
            python,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--retries",
            "1",
            "--disable-pip-version-check",
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
            "--python-version",
            "3.11",
            "--platform",
            "manylinux_2_28_x86_64",
            "--dest",
            "wheel",
            "-r",
            "requirements.txt",
        ],
        timeout = 1200,
    )
    if result.return_code != 0:
        lines = [line for line in result.stderr.split("\n") if line.startswith("ERROR")]
        fail("pip could not download halide==%s: %s Set HALITE_HALIDE_ROOT to a Halide %s installation to build without a network." %
             (_VERSION, " ".join(lines) or result.stderr, _VERSION))
    wheels = [p for p in ctx.path("wheel").readdir() if p.basename.endswith(".whl")]
    ctx.symlink(wheels[0], "halide.zip")  # extract() goes by the suffix
    ctx.extract("halide.zip", stripPrefix = "halide")
    ctx.delete("halide.zip")
    ctx.delete("wheel")
    return "lib64"

def _impl(ctx):
    root = ctx.os.environ.get("HALITE_HALIDE_ROOT", "")
    lib = _local(ctx, root) if root else _download(ctx)
    ctx.file("WORKSPACE", "workspace(name = %r)\n" % ctx.name)
    ctx.file("BUILD.bazel", _BUILD.format(lib = lib))

halide_repository = repository_rule(
    implementation = _impl,
    environ = ["HALITE_HALIDE_ROOT", "HALITE_PYTHON"],
)
