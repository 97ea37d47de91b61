#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A run that is interrupted and goes on from its checkpoint gives bit for bit the parameters of the
# run that is not, and classify reads what train has saved.
set -eu
train=$1 classify=$2
work=${TEST_TMPDIR:-$(mktemp -d)}
unset BUILD_WORKING_DIRECTORY
if [ ! -e /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz ]; then
  echo "SKIPPED: the package dataset-fashion-mnist is not installed"
  exit 0
fi

"$train" --max-steps=60 --output="$work/whole"
"$train" --max-steps=25 --output="$work/first"
"$train" --max-steps=60 --load="$work/first/checkpoint.h5" --output="$work/second"
cmp "$work/whole/parameters.h5" "$work/second/parameters.h5"
cmp "$work/whole/checkpoint.h5" "$work/second/checkpoint.h5"
if cmp -s "$work/first/parameters.h5" "$work/second/parameters.h5"; then
  echo "the second part of the run has changed nothing"
  exit 1
fi

# Where there is no CUDA device it says so and gives what the CPU gives.
"$train" --context=cuda --max-steps=60 --output="$work/cuda" 2>"$work/log"
if grep -q "going on with the CPU" "$work/log"; then
  cmp "$work/whole/parameters.h5" "$work/cuda/parameters.h5"
fi

# Ctrl-C saves what there is and says how to go on.
"$train" --output="$work/stopped" >"$work/log" &
pid=$!
while ! grep -q "loss" "$work/log"; do sleep 0.1; done
kill -INT $pid
wait $pid
grep -q -- "--load=.*checkpoint.h5" "$work/log"

"$classify" --load="$work/whole/parameters.h5" 0 7 | tee "$work/classes"
[ "$(grep -cE '[0-9] %$' "$work/classes")" -eq 20 ]
