#!/usr/bin/env bash
# test_packs.sh TILEGRAD - BF16 training packs weights in the first step only, and never casts them: updates write the layouts
# that kernels read.
set -euo pipefail
tilegrad=$1
for model in lenet resnet20; do
    lines=$(TG_VERBOSE=1 "$tilegrad" bench "$model" --dtype bf16 --batch 4 --steps 1 2>&1 >/dev/null | grep '^tilegrad: ')
    grep -q '_update .* bf16 ' <<<"$lines" || { echo "skipped: no BF16 on this processor"; exit 77; }
    updates=$(grep -n -m1 '_update ' <<<"$lines" | cut -d: -f1)
    rest=$(tail -n +"$updates" <<<"$lines")
    (( $(grep -c '^tilegrad: pack ' <<<"$lines") > 0 )) || { echo "$model: nothing was packed at all"; exit 1; }
    if grep '^tilegrad: pack ' <<<"$rest"; then echo "$model: packed again after the first step"; exit 1; fi
    if grep '^tilegrad: cast .* \[[0-9]*, [1-9], [1-9], [0-9]*\]' <<<"$rest"; then echo "$model: a weight was cast"; exit 1; fi
    echo "$model: $(grep -c '^tilegrad: pack ' <<<"$lines") weights packed, in the first step"
done
