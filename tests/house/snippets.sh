#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Prints the C++ blocks of a Markdown file: snippets.sh FILE.
sed -n '/^```cpp$/,/^```$/p' "$1" | grep -v '^```'
