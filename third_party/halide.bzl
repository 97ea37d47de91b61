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

def _download(ctx):
    python = ctx.os.environ.get("HALITE_PYTHON", "") or ctx.which("python3")
    if not python:
        fail("@halide needs python3 with pip: apt install python3 python3-pip (or set HALITE_HALIDE_ROOT).")
    ctx.file("requirements.txt", "halide==%s --hash=sha256:%s\n" % (_VERSION, _SHA256))
    ctx.report_progress("downloading halide %s (69 MB)" % _VERSION)
    result = ctx.execute(
        [
            python,
            "-m",
            "pip",
            "download",
            "--quiet",
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
        fail("pip could not download halide==%s (status %d):\n%s\n%s\nSet HALITE_HALIDE_ROOT to a Halide %s installation to build without a network." %
             (_VERSION, result.return_code, result.stdout, result.stderr, _VERSION))
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
