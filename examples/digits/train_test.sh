#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The example reaches the accuracy that its README promises.
set -eu
"$1" | tee /dev/stderr | awk 'END { exit !($0 ~ /test accuracy/ && $(NF - 1) >= 96) }'
