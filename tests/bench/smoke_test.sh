#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs each benchmark once: smoke_test.sh PROGRAM FLAG...
exec "$@"
