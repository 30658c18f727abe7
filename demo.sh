#!/usr/bin/env bash
# Trains LeNet on pictures of clothes, and draws what it makes of some that it has not seen.
set -euo pipefail
cd "$(dirname "$0")"
. packaging/packages.sh

need_packages "${build_packages[@]}"
if [[ ! -f build/build.ninja ]]; then
    echo "Building (a minute or so, once)"
    cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DTG_TESTS=OFF >/dev/null
fi
ninja -C build --quiet tilegrad | sed '/no work to do/d'

./build/tilegrad train lenet --data sample --epochs 10 --dtype bf16 --report --out runs/demo --resume none
echo "Pictures with their true and predicted class: runs/demo/predictions.png"
