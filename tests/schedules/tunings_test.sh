#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Lists what can be tuned, which fails where the table and the schedules do not fit:
# tunings_test.sh TUNER KERNELS TABLE.
exec "$1" --kernels="$2" --table="$3" --list
