#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds and runs the consumer workspace: run.sh BAZELW. Proves that another Bazel workspace uses
# Halite with one load and one macro call, that a program holds only the kernels it uses, no gradient
# kernel with --@halite//core:inference_only=yes and never libHalide, that the workspace's own operator
# can be tuned, and that its own Abseil takes the place of Halite's. Ends with a line "N passed, N
# failed, N skipped".
set -u
bazelw=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
cd "$here" || exit 1
passed=0 failed=0

check() {
  local what=$1
  shift
  if "$@"; then
    echo "PASSED: $what"
    passed=$((passed + 1))
  else
    echo "FAILED: $what"
    failed=$((failed + 1))
  fi
}

kernels() { nm -C bazel-bin/app | grep -oE '\b[a-z_0-9]+_f(32|64)_(cpu|cuda|opencl)_argv\b' | sort -u; }
only_softmax() { ! kernels | grep -vE '^(softmax|fill)_' && kernels | grep -q '^softmax_f32_cpu'; }
no_gradient() { ! kernels | grep -q grad; }
no_halide() { [ -x bazel-bin/app ] && ! ldd bazel-bin/app | grep -q libHalide; }
sums_to_one() { bazel-bin/app | awk '{ s = $1 + $2 + $3 } END { exit !(s > 0.9998 && s < 1.0002) }'; }
refuses_host_stage() {
  "$bazelw" build //:host_stage_forward_kernels_opencl.host_stage_f32_opencl 2>&1 | grep 'error: host_stage_f32_opencl: the GPU schedule leaves'
}
# A copy of this workspace that defines com_google_absl before Halite does.
uses_own_absl() {
  local copy
  copy=$(mktemp -d)
  cp -r . "$copy" && rm -f "$copy"/bazel-*
  {
    sed "s|\"../..\"|\"$(realpath ../..)\"|" WORKSPACE | sed '/^load/,$d'
    printf 'local_repository(\n    name = "com_google_absl",\n    path = "own_absl",\n)\n\n'
    sed -n '/^load/,$p' WORKSPACE
  } >"$copy/WORKSPACE"
  (cd "$copy" && "$bazelw" run --copt=-DCONSUMER_ABSL_EXPECTED //:app; result=$?; "$bazelw" shutdown; exit $result)
}

# Its tuner, on a copy of its table.
tunes() {
  local table
  table=$(mktemp) && cp tunings.bzl "$table" &&
    "$bazelw" run //:tune -- --op=softsign --budget=0.01s --table="$table" | tee "$table.log" &&
    grep -q '^softsign/grain' "$table.log" && grep -q '^TUNINGS = \[' "$table" &&
    "$bazelw" run //:tune -- --list
}

check "the consumer's program builds" "$bazelw" build //:app
check "it computes softmax" sums_to_one
check "it holds the kernels of softmax alone" only_softmax
check "it does not need libHalide" no_halide
check "its own operator passes the gradient check" "$bazelw" test //:softsign_test
check "its own operator can be tuned" tunes
check "a GPU schedule with a stage on the host is refused" refuses_host_stage
check "it builds for inference only" "$bazelw" build --@halite//core:inference_only=yes //:app
check "then it holds no gradient kernel" no_gradient
check "it builds with an Abseil of its own" uses_own_absl
"$bazelw" shutdown
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
