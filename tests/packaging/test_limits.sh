#!/usr/bin/env bash
# Every constant that limits an array is guarded (.ci/limits), which names one that is planted without a guard.
# usage: test_limits.sh SOURCE_FOLDER
set -euo pipefail
[[ -x /usr/bin/python3 ]] || { echo "skipped: no python3"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1/.ci/limits"

for part in .ci lib autograd ops optim datasets apps; do cp -r "$1/$part" "$work"; done
printf 'enum { MAX_THINGS = 3 };\nstatic int things[MAX_THINGS];\n' >>"$work/apps/tilegrad.c"
sed -i '/^loader.c MAX_WORKERS/s/loader/nowhere/' "$work/.ci/limits.txt"
said=$("$work/.ci/limits") && { echo "passed, want it to fail"; exit 1; }
for text in "tilegrad.c: nothing says what guards MAX_THINGS" "loader.c: nothing says what guards MAX_WORKERS" \
            "nowhere.c has no array of MAX_WORKERS any more"; do
    [[ $said == *"$text"* ]] || { printf 'want: %s\ngot:  %s\n' "$text" "$said"; exit 1; }
done
