#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs a test under a sanitizer (bazel test --run_under, see .bazelrc): sanitizer_run.sh TEST ARGS...
# with the suppressions that stand beside this script.
folder=$(cd "$(dirname "$0")" && pwd)
export ASAN_OPTIONS=detect_stack_use_after_return=1:check_initialization_order=1:strict_init_order=1
# Its record of thread-local memory goes wrong with the libraries that PoCL loads, and the search for
# leaks then ends in "a fatal error".
ASAN_OPTIONS=$ASAN_OPTIONS:intercept_tls_get_addr=0
export LSAN_OPTIONS=suppressions=$folder/lsan.supp:print_suppressions=0
export TSAN_OPTIONS=second_deadlock_stack=1
export UBSAN_OPTIONS=print_stacktrace=1
exec "$@"
