#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs hdf5_h5py_test.py with the system's Python: hdf5_h5py_test.sh SCRIPT TOOL.
python=/usr/bin/python3
if ! "$python" -c "import h5py, numpy" 2>/dev/null; then
  echo "SKIPPED: $python has no h5py or no numpy (Debian: python3-h5py)"
  exit 0
fi
exec "$python" "$1" "$2" "${TEST_TMPDIR:?}"
