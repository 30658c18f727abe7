#!/usr/bin/env bash
# Trains LeNet on pictures of clothes, and draws its predictions for some that it hasn't seen.
set -euo pipefail
cd "$(dirname "$0")"
. packaging/packages.sh

need_packages "${build_packages[@]}"
if [[ ! -f build/build.ninja ]]; then
    echo "Building (once, about a minute)"
    cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DTG_TESTS=OFF >/dev/null
fi
ninja -C build --quiet tilegrad | sed '/no work to do/d'

./build/tilegrad train lenet --data sample --epochs 10 --dtype bf16 --report --out runs/demo --resume none
echo "Pictures with their true and predicted class: runs/demo/predictions.png"
