#!/usr/bin/env bash
# Includes and symbols between rooms lead one way (.ci/rooms); the script reports planted violations.
# usage: test_rooms.sh SOURCE_FOLDER BUILD_FOLDER
set -euo pipefail
[[ -x /usr/bin/python3 ]] || { echo "skipped: no python3"; exit 77; }
source=$1 build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$source/.ci/rooms" "$build"

mkdir "$work/tree" "$work/build"
for part in .ci CMakeLists.txt lib autograd ops optim datasets; do cp -r "$source/$part" "$work/tree"; done
cp -r "$build/CMakeFiles" "$work/build"

# expect TEXT: .ci/rooms fails with this message.
expect() {
    local said
    said=$("$work/tree/.ci/rooms" "$work/build") && { echo "passed, want: $1"; exit 1; }
    [[ $said == *"$1"* ]] || { printf 'want: %s\ngot:  %s\n' "$1" "$said"; exit 1; }
}

sed -i '1i #include "update.h"' "$work/tree/lib/base/clock.c"
expect "header update.h: lib/base/clock.c may not use optim/update.h (room lib/base -> optim)"
sed -i 1d "$work/tree/lib/base/clock.c"

echo 'void tg_update(void *s, void *o); double tg_now_ms(void); double tg_now_ms(void) { return tg_update(0, 0), 0; }' |
    "${CC:-cc}" -x c -c -o "$work/build/CMakeFiles/tg_base.dir/lib/base/clock.c.o" -
expect "symbol tg_update: lib/base/clock.c may not use optim/"
