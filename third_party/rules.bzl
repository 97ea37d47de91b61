"""Repositories that Bazel 4.2 loads by name and Debian does not ship."""

_RULES_CC_DEFS = '''
cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_proto_library = native.cc_proto_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
fdo_prefetch_hints = native.fdo_prefetch_hints
fdo_profile = native.fdo_profile
objc_import = native.objc_import
objc_library = native.objc_library
'''

_COVERAGE = '''
sh_binary(name = "coverage_report_generator", srcs = ["true.sh"], visibility = ["//visibility:public"])
sh_binary(name = "lcov_merger", srcs = ["true.sh"], visibility = ["//visibility:public"])
'''

def _rules_cc_impl(ctx):
    ctx.file("WORKSPACE", "workspace(name = %r)\n" % ctx.name)
    ctx.file("BUILD", "")
    ctx.file("cc/BUILD", "")
    ctx.file("cc/defs.bzl", _RULES_CC_DEFS)

def _coverage_tools_impl(ctx):
    ctx.file("WORKSPACE", "workspace(name = %r)\n" % ctx.name)
    ctx.file("BUILD", _COVERAGE)
    ctx.file("true.sh", "#!/bin/sh\nexit 0\n", executable = True)

rules_cc_repository = repository_rule(implementation = _rules_cc_impl)
coverage_tools_repository = repository_rule(implementation = _coverage_tools_impl)
