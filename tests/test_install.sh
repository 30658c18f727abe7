#!/usr/bin/env bash
# What `cmake --install --prefix` leaves can be used, as it is and after it was moved: by a program that is linked
# through pkg-config or CMake, and that may have functions of any name.
# usage: test_install.sh CMAKE BUILD_FOLDER
set -euo pipefail
command -v pkg-config >/dev/null || { echo "skipped: no pkg-config"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc=${CC:-cc} sanitize=${SANITIZE:+-fsanitize=$SANITIZE}

"$1" --install "$2" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/moved"
root="$work/moved"
PKG_CONFIG_PATH=$(dirname "$(find "$root" -name tilegrad.pc)")
export PKG_CONFIG_PATH

# softmax_ref and add_vector_avx2 are names that the library has inside.
mkdir "$work/program"
cat >"$work/program/program.c" <<'PROGRAM'
#include <tilegrad.h>
int softmax_ref(void);
int add_vector_avx2(void);
int softmax_ref(void) { return 1; }
int add_vector_avx2(void) { return 1; }
int main(void)
{
    tg_scope *root = tg_open();
    double    two  = tg_item(tg_add(root, tg_full(root, 1, 0, 0), tg_full(root, 1, 0, 0)));
    tg_close(root);
    return two == softmax_ref() + add_vector_avx2() ? 0 : 1;
}
PROGRAM
cat >"$work/program/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.18)
project(program LANGUAGES C)
find_package(PkgConfig REQUIRED)
pkg_check_modules(tilegrad REQUIRED IMPORTED_TARGET tilegrad)
add_executable(program program.c)
target_link_libraries(program PRIVATE PkgConfig::tilegrad)
add_executable(program_static program.c)
target_include_directories(program_static PRIVATE ${tilegrad_STATIC_INCLUDE_DIRS})
target_link_libraries(program_static PRIVATE ${tilegrad_STATIC_LDFLAGS})
CMAKE

for static in "" --static; do
    # shellcheck disable=SC2046,SC2086
    "$cc" -std=c11 -Wall -Wextra -Wpedantic -Werror $sanitize "$work/program/program.c" -o "$work/program/plain" \
          $(pkg-config $static --cflags --libs tilegrad)
    "$work/program/plain"
done
"$1" -S "$work/program" -B "$work/program/build" -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="$sanitize" >/dev/null
"$1" --build "$work/program/build" >/dev/null
"$work/program/build/program"
"$work/program/build/program_static"

others=$(nm -g --defined-only "$(find "$root" -name libtilegrad.a)" | awk 'NF == 3 && $3 !~ /^tg_/ { print $3 }')
[[ -z $others ]] || { echo "the archive exports names without tg_: $others"; exit 1; }

"$root/bin/tilegrad" --version >/dev/null
[[ -f $root/share/tilegrad/sample/train-images-idx3-ubyte.gz ]]
[[ -f $root/share/bash-completion/completions/tilegrad ]]
echo "ok    pkg-config, CMake, names"
