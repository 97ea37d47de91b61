#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs each benchmark once.
exec "$1" --benchmark_min_time=0
