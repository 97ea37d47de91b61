"""halite_deps(): every external repository of Halite. Call it from WORKSPACE.

A repository that the workspace has defined already is left alone, so a consumer's own Abseil,
protobuf or googletest takes the place of Debian's.
"""

load("//third_party:halide.bzl", "halide_repository")
load("//third_party:rules.bzl", "coverage_tools_repository", "rules_cc_repository")
load("//third_party:system_library.bzl", "system_library")

def _maybe(rule, name, **kwargs):
    if native.existing_rule(name) == None:
        rule(name = name, **kwargs)

def halite_deps():
    """Defines every repository that is not defined yet."""
    _maybe(rules_cc_repository, "rules_cc")
    _maybe(coverage_tools_repository, "remote_coverage_tools")
    _maybe(native.local_repository, "rules_java", path = "/usr/share/bazel/rules/java")
    _maybe(native.local_repository, "rules_proto", path = "/usr/share/bazel/rules/proto")
    _maybe(native.local_repository, "bazel_skylib", path = "/usr/share/bazel/tools/skylib")

    _maybe(halide_repository, "halide")

    _maybe(
        system_library,
        "com_google_absl",
        headers = ["absl/status/statusor.h"],
        include = ["absl"],
        targets = {
            "absl/base:core_headers": "pkg-config:absl_core_headers",
            "absl/container:flat_hash_map": "pkg-config:absl_flat_hash_map",
            "absl/container:flat_hash_set": "pkg-config:absl_flat_hash_set",
            "absl/container:inlined_vector": "pkg-config:absl_inlined_vector",
            "absl/status:status": "pkg-config:absl_status",
            "absl/status:statusor": "pkg-config:absl_statusor",
            "absl/strings:str_format": "pkg-config:absl_str_format",
            "absl/strings:strings": "pkg-config:absl_strings",
            "absl/synchronization:synchronization": "pkg-config:absl_synchronization",
            "absl/time:time": "pkg-config:absl_time",
            "absl/types:span": "pkg-config:absl_span",
        },
        apt = ["libabsl-dev", "pkg-config"],
    )
    _maybe(
        system_library,
        "com_google_protobuf",
        headers = ["google/protobuf/message.h"],
        include = ["google"],
        targets = {":protobuf": "pkg-config:protobuf"},
        tools = ["protoc"],
        apt = ["libprotobuf-dev", "protobuf-compiler", "pkg-config"],
    )
    _maybe(
        system_library,
        "com_google_googletest",
        headers = ["gtest/gtest.h", "gmock/gmock.h"],
        include = ["gtest", "gmock"],
        targets = {
            ":gtest": "-lgtest -lgmock -lpthread",
            ":gtest_main": "-lgmock_main -lgtest -lgmock -lpthread",
        },
        apt = ["libgtest-dev", "libgmock-dev"],
    )
    _maybe(
        system_library,
        "com_github_google_benchmark",
        headers = ["benchmark/benchmark.h"],
        include = ["benchmark"],
        targets = {
            ":benchmark": "-lbenchmark -lpthread",
            ":benchmark_main": "-lbenchmark_main -lbenchmark -lpthread",
        },
        apt = ["libbenchmark-dev"],
    )
    _maybe(
        system_library,
        "hdf5",
        root = "/usr/include/hdf5/serial",
        headers = ["hdf5.h"],
        include = [""],
        targets = {":hdf5_c": "-L/usr/lib/x86_64-linux-gnu/hdf5/serial -lhdf5"},
        apt = ["libhdf5-dev"],
    )
    _maybe(
        system_library,
        "onednn",
        headers = ["dnnl.hpp"],
        include = ["dnnl.hpp", "oneapi"],
        targets = {":onednn": "-ldnnl -lgomp"},
        apt = ["libdnnl-dev"],
    )
    _maybe(
        system_library,
        "zlib",
        headers = ["zlib.h"],
        include = ["zlib.h", "zconf.h"],
        targets = {":z": "-lz"},
        apt = ["zlib1g-dev"],
    )
    _maybe(
        system_library,
        "cli11",
        headers = ["CLI/CLI.hpp"],
        include = ["CLI"],
        targets = {":cli11": ""},
        apt = ["libcli11-dev"],
    )
    _maybe(
        system_library,
        "cuda",
        root = "/usr/local/cuda/include",
        root_variable = "HALITE_CUDA_ROOT",
        headers = ["cuda.h"],
        include = [""],
        targets = {":cuda_headers": ""},
        apt = ["nvidia-cuda-toolkit"],
        optional = True,
    )
