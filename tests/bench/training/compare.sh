#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
exec python3 "$0.runfiles/halite/tests/bench/training/compare.py" "$@"
