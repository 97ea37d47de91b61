"""isa_tests(): one test for each CPU instruction set that kernels are built for.

A kernel remembers the instruction set of its first call, so each set needs a process of its own;
HALITE_ISA chooses it. Where the machine lacks the set, the test skips with a message.
"""

load("//third_party:cc.bzl", "cc_binary")

INSTRUCTION_SETS = ["sse41", "avx2", "avx512", "zen4"]

def isa_tests(name, srcs, deps, size = "medium", shard_count = None, tags = []):
    cc_binary(
        name = name + "_program",
        testonly = True,
        srcs = srcs,
        tags = ["manual"],
        deps = deps + ["//tests:isa_main"],
    )
    for isa in INSTRUCTION_SETS:
        native.sh_test(
            name = "%s_%s" % (name, isa),
            size = size,
            srcs = ["//tests:run_with_isa.sh"],
            args = ["$(location :%s_program)" % name, isa],
            data = [":%s_program" % name],
            shard_count = shard_count,
            # With a sanitizer all kernels are AVX2's (.bazelrc), so the other sets would repeat it.
            tags = tags + ([] if isa == "avx2" else ["nosanitizer"]),
        )
    native.test_suite(
        name = name,
        tests = ["%s_%s" % (name, isa) for isa in INSTRUCTION_SETS],
    )
