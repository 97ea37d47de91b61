#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs tune_test.py: tune_test.sh SCRIPT TUNER KERNELS.
exec python3 "$1" "$2" "$3"
