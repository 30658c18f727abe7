#!/usr/bin/env bash
# Installs missing packages, builds in Release and runs all tests.
set -euo pipefail
cd "$(dirname "$0")"
. packaging/packages.sh

need_packages "${build_packages[@]}" "${test_packages[@]}"
cmake --preset release >/dev/null
ninja -C build --quiet
ctest --test-dir build --output-on-failure "$@"
