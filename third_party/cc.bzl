"""The C++ rules with Halite's options: the one place for copts and the include prefix."""

load("@rules_cc//cc:defs.bzl", _cc_binary = "cc_binary", _cc_library = "cc_library", _cc_test = "cc_test")

# A consumer's .bazelrc does not know our standard, so every target carries it.
# -Werror stands in our own .bazelrc alone.
COPTS = [
    "-std=c++20",
    "-Wall",
    "-Wextra",
    "-Wshadow=local",
    "-Wno-sign-compare",
]

def cc_library(name, copts = [], **kwargs):
    """A library whose headers are included as "halite/<package>/<file>"."""
    _cc_library(
        name = name,
        copts = COPTS + copts,
        include_prefix = "halite/" + native.package_name(),
        # One copy of everything in a program, also where a consumer links tests dynamically.
        linkstatic = True,
        **kwargs
    )

def cc_binary(name, copts = [], **kwargs):
    _cc_binary(name = name, copts = COPTS + copts, **kwargs)

def cc_test(name, copts = [], size = "small", **kwargs):
    _cc_test(name = name, copts = COPTS + copts, size = size, **kwargs)
