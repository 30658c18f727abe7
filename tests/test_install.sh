#!/usr/bin/env bash
# What `cmake --install` leaves can be used: a program builds against it through pkg-config, and finds the sample.
# usage: test_install.sh CMAKE BUILD_FOLDER
set -euo pipefail
command -v pkg-config >/dev/null || { echo "skipped: no pkg-config"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$1" --install "$2" --prefix "$work" >/dev/null
pc=$(find "$work" -name tilegrad.pc)
cat >"$work/program.c" <<'PROGRAM'
#include <tilegrad.h>
int main(void)
{
    tg_scope *root = tg_open();
    double    two  = tg_item(tg_add(root, tg_full(root, 1, 0, 0), tg_full(root, 1, 0, 0)));
    tg_close(root);
    return two == 2 ? 0 : 1;
}
PROGRAM
sanitize=${SANITIZE:+-fsanitize=$SANITIZE}
# shellcheck disable=SC2046
"${CC:-cc}" -std=c11 -Wall -Wextra -Wpedantic -Werror $sanitize "$work/program.c" -o "$work/program" \
    $(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --define-variable=prefix="$work" --cflags --libs tilegrad)
"$work/program"
"$work/bin/tilegrad" --version >/dev/null
[[ -f $work/share/tilegrad/sample/train-images-idx3-ubyte.gz ]]
[[ -f $work/share/bash-completion/completions/tilegrad ]]
