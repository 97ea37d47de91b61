"""A stand-in for an Abseil of the workspace's own: Debian's library, marked by a define."""

load("@rules_cc//cc:defs.bzl", "cc_library")

_LIBRARIES = [
    "base",
    "city",
    "cord",
    "hash",
    "int128",
    "low_level_hash",
    "raw_hash_set",
    "raw_logging_internal",
    "status",
    "statusor",
    "str_format_internal",
    "strings",
    "synchronization",
    "throw_delegate",
    "time",
]

def absl_libraries(names):
    for name in names:
        cc_library(
            name = name,
            defines = ["CONSUMER_ABSL"],
            linkopts = ["-labsl_" + library for library in _LIBRARIES],
            visibility = ["//visibility:public"],
        )
