#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs house_test.py on the sources that Bazel has laid out.
exec python3 "$1"
