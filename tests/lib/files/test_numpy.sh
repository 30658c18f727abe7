#!/usr/bin/env bash
# tilegrad reads NumPy's files with the same values, and NumPy reads tilegrad's.
# usage: test_numpy.sh TILEGRAD
set -u
for python in python3 /usr/bin/python3; do
    "$python" -c 'import numpy' 2>/dev/null && exec "$python" "$(dirname "$0")/numpy_files.py" "$(realpath "$1")"
done
echo "skipped: python3 has no numpy (apt install python3-numpy)"
exit 77
