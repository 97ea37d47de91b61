#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs a test program with one CPU instruction set: run_with_isa.sh PROGRAM SET.
HALITE_ISA=$2 exec "$1"
