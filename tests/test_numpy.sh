#!/usr/bin/env bash
# Files that NumPy writes are read with the same numbers, and those that tilegrad writes are read by NumPy.
# usage: test_numpy.sh TILEGRAD
set -u
python3 -c 'import numpy' 2>/dev/null || { echo "skipped: python3 has no numpy (apt install python3-numpy)"; exit 77; }
exec python3 "$(dirname "$0")/numpy_files.py" "$(realpath "$1")"
