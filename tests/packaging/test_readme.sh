#!/usr/bin/env bash
# The program in README compiles as strict C11 against the public headers, and matches apps/demos/train_lenet.c.
# usage: test_readme.sh SOURCE_FOLDER INCLUDE_FOLDER
set -euo pipefail
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags=(-std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only "-I$2")

awk '/^```c$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$source/README.md" >"$work/body"
{
    echo '#include <tilegrad/tilegrad.h>'
    echo '#include <stdio.h>'
    echo 'int main(void) {'
    cat "$work/body"
    echo 'return 0; }'
} >"$work/program.c"
[[ -s $work/body ]] || { echo "README.md has no C program"; exit 1; }
"${CC:-cc}" "${flags[@]}" "$work/program.c"
"${CC:-cc}" "${flags[@]}" "$source/apps/demos/train_lenet.c"

# Except for comments and spaces, each of its lines appears in the demo, in the same order.
squeeze() { sed -e 's,/\*.*\*/,,' "$1" | tr -d ' \t' | tr -d '\n'; echo; }
demo=$(squeeze "$source/apps/demos/train_lenet.c")
while IFS= read -r line; do
    line=$(sed -e 's,/\*.*\*/,,' <<<"$line" | tr -d ' \t')
    [[ -n $line ]] || continue
    [[ $demo == *"$line"* ]] || { echo "not in apps/demos/train_lenet.c: $line"; exit 1; }
    demo=${demo#*"$line"}
done <"$work/body"
