#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The list of Debian packages names every package of deps.bzl, and bazelw finds, installs and
# refuses as its --help says. Stand-ins for dpkg-query, apt-get, sudo and Bazel come first on PATH,
# so nothing is installed and neither Debian nor root nor a network is needed.

set -euo pipefail

readonly list=third_party/apt_packages.txt
readonly fake=$TEST_TMPDIR/fake # holds the stand-ins, `absent` (packages) and `log` (of apt-get)

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# program NAME: a stand-in from standard input; $fake is its folder.
program() {
  { printf '#!/bin/bash\nfake=%q\n' "$fake" && cat; } >"$fake/$1"
  chmod +x "$fake/$1"
}

# bazelw ARGS...: runs it; `output` and `status` are what came of it.
bazelw() {
  status=0
  output=$(./bazelw "$@" 2>&1 </dev/null) || status=$?
}

# expect STATUS TEXT...: the last run returned STATUS and printed each TEXT.
expect() {
  ((status == $1)) || fail "status $status instead of $1: $output"
  local text
  for text in "${@:2}"; do
    [[ $output == *"$text"* ]] || fail "no '$text' in: $output"
  done
}

# expect_log TEXT: apt-get was called with TEXT, or with nothing at all if TEXT is empty.
expect_log() {
  local log
  log=$(<"$fake/log")
  [[ -n $1 && $log == *"$1"* || -z $1 && -z $log ]] || fail "apt-get was called with: $log"
  : >"$fake/log"
}

set_up() {
  mkdir -p "$fake" "$TEST_TMPDIR/home/.cache"
  program dpkg-query <<'END'
for word in "$@"; do grep -qx -e "$word" "$fake/absent" || echo "$word installed"; done
END
  program apt-get <<'END'
echo "$*" >>"$fake/log"
[[ ! -e $fake/broken ]] || { echo 'E: no such mirror' && exit 100; }
[[ " $* " != *' install '* ]] || : >"$fake/absent"
END
  program sudo <<'END'
[[ $1 == -n ]] && shift && exec "$@"
END
  program bazel <<'END'
[[ $1 != --version ]] || { cat "$fake/version" && exit; }
printf '<%s>' "$@"
END
  : >"$fake/absent"
  : >"$fake/log"
  echo 'bazel 4.2.3' >"$fake/version"
  export PATH=$fake:$PATH BAZEL=$fake/bazel HOME=$TEST_TMPDIR/home
  export PIP_INDEX_URL=http://127.0.0.1:9/ PIP_NO_INDEX=1
  unset HALITE_NO_INSTALL HALITE_VERBOSE HALITE_HALIDE_ROOT HALITE_PYTHON
}

test_list() {
  local bad package names
  bad=$(grep -v '^#' "$list" | grep -Pv '^[a-z0-9.+-]+\t(build|test|example|optional)\t\S.*$') &&
    fail "not package<TAB>group<TAB>purpose: $bad"
  bad=$(cut -f1 "$list" | grep -v '^#' | sort | uniq -d)
  [[ -z $bad ]] || fail "listed twice: $bad"
  names=$(tr '\n' ' ' <third_party/deps.bzl | grep -oP '\bapt = \[\K[^]]*' |
    grep -oP '[a-z0-9.+-]+')
  [[ $(wc -l <<<"$names") -ge 10 ]] || fail "deps.bzl was not understood: $names"
  for package in $names; do
    grep -qP "^\Q$package\E\t" "$list" || fail "$package of deps.bzl is not in $list"
  done
}

test_nothing_missing() {
  bazelw --help
  expect 0 HALITE_NO_INSTALL
  bazelw --output_base x build //a:b -- -c 'd e'
  expect 0 '<--output_base><x><build><//a:b><--><-c><d e>'
  export HALITE_NO_INSTALL=1
  bazelw doctor
  expect 0 'build packages' 'Halide' 'sse4.1'
  expect_log ''
  unset HALITE_NO_INSTALL
}

test_missing() {
  echo libabsl-dev >"$fake/absent"
  export HALITE_NO_INSTALL=1
  bazelw build //a
  expect 3 'HALITE_NO_INSTALL is set' 'apt-get install --no-install-recommends libabsl-dev'
  bazelw doctor
  expect 1 'apt-get install --no-install-recommends libabsl-dev'
  expect_log ''
  unset HALITE_NO_INSTALL
  touch "$fake/broken"
  bazelw build //a
  expect 3 'E: no such mirror' 'apt-get install --no-install-recommends libabsl-dev'
  rm "$fake/broken"
  : >"$fake/log"
  bazelw build //a
  expect 0 '<build><//a>'
  expect_log 'install --no-install-recommends libabsl-dev'
}

test_groups() {
  printf '%s\n' pocl-opencl-icd dataset-fashion-mnist >"$fake/absent"
  bazelw build //core/...
  expect_log ''
  bazelw run //:x -- test
  expect_log ''
  bazelw test //a
  expect_log 'install --no-install-recommends pocl-opencl-icd'
  printf '%s\n' pocl-opencl-icd dataset-fashion-mnist >"$fake/absent"
  bazelw run //tests/bench:peers
  expect_log 'install --no-install-recommends pocl-opencl-icd'
  printf '%s\n' pocl-opencl-icd dataset-fashion-mnist >"$fake/absent"
  bazelw build //...
  expect_log 'install --no-install-recommends pocl-opencl-icd'
  echo dataset-fashion-mnist >"$fake/absent"
  bazelw test //a
  expect_log ''
  bazelw run //examples/fashion_mnist:train
  expect_log 'install --no-install-recommends dataset-fashion-mnist'
  echo dataset-fashion-mnist >"$fake/absent"
  bazelw test //...
  expect_log 'install --no-install-recommends dataset-fashion-mnist'
}

test_bazel() {
  echo 'bazel 7.1.0' >"$fake/version"
  bazelw build //a
  expect 3 'bazel 7.1.0' 'Bazel 4'
  BAZEL=/nonexistent bazelw build //a
  expect 3 'there is no /nonexistent'
}

set_up
for test in test_list test_nothing_missing test_missing test_groups test_bazel; do
  "$test"
  echo "passed: $test"
done
