#!/usr/bin/env bash
# An installed tree works, in place and after being moved, for programs with function names of their own choice: with pkg-config
# and find_package, from C and C++, with gcc and clang, linked shared and static.
# usage: test_install.sh CMAKE BUILD_FOLDER     (CC, CXX: the build's compilers; SANITIZE: its sanitizers)
set -euo pipefail
command -v pkg-config >/dev/null || { echo "skipped: no pkg-config"; exit 77; }
cmake=$1 build=$2 tests=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sanitize=${SANITIZE:+-fsanitize=$SANITIZE}

fail() { echo "FAILED: $*"; exit 1; }
# same WHAT GOT WANTED
same() { [[ $2 == "$3" ]] || fail "$1:" $'\n'"$(diff <(echo "$2") <(echo "$3"))"; }

"$cmake" --install "$build" --prefix "$work/first" >/dev/null
root=$work/moved
mv "$work/first" "$root"
PKG_CONFIG_PATH=$(dirname "$(find "$root" -name tilegrad.pc)")
export PKG_CONFIG_PATH
libraries=$(cd "$PKG_CONFIG_PATH/.." && pwd)
version=$(pkg-config --modversion tilegrad)

# softmax_ref and add_vector_avx2 are internal names of the library.
cat >"$work/program.c" <<'PROGRAM'
#include <tilegrad/tilegrad.h>
#include <stdio.h>
#ifdef __cplusplus
extern "C" {
#endif
int softmax_ref(void);
int add_vector_avx2(void);
int softmax_ref(void) { return 1; }
int add_vector_avx2(void) { return 1; }
#ifdef __cplusplus
}
#endif
int main(void)
{
    tg_scope  *root = tg_open();
    tg_tensor *x    = tg_rand(root, 0, 1, 4, TG_DIM(8, 28, 28, 1));
    tg_axes    all  = { 0 };
    double     sum  = tg_item(tg_sum(root, tg_forward(root, tg_lenet(root, 10), x), all));
    printf("%s %s %d.%d.%d %s %a\n", tg_message(root), tg_version(), TG_VERSION_MAJOR, TG_VERSION_MINOR, TG_VERSION_PATCH,
           tg_add_op.name, sum);
    tg_close(root);
    return softmax_ref() + add_vector_avx2() - 2;
}
PROGRAM
sed 's/tg_axes    all  = { 0 }/tg_axes    all  = {}/' "$work/program.c" >"$work/program.cpp"

# ---- installed files ----

headers=$root/include/tilegrad
exported=$(nm -D --defined-only "$libraries/libtilegrad.so" | awk '{ print $3 }' | sort)
inline=$(sed -nE 's/^static inline .*\<(tg_[a-z0-9_]+)\(.*/\1/p' "$headers"/*.h)
wanted=$({ cpp -P -I"$tests/../ops" "$tests/support/public_functions.def" | grep -oE 'CHECK\(tg_[a-z0-9_]+' |
               sed 's/CHECK(//' | grep -vxF "$inline"
           sed -nE 's/^extern const tg_op (.*);/\1/p' "$headers"/*.h | tr -d ' ' | tr , '\n'; } | sort)
same 'the shared library exports (<) what is not public, or not (>) what is' "$exported" "$wanted"
others=$(nm -g --defined-only "$libraries/libtilegrad.a" | awk 'NF == 3 && $3 !~ /^tg_/ { print $3 }')
same 'the archive exports names without tg_' "$others" ""
same SONAME "$(readelf -d "$libraries/libtilegrad.so" | sed -nE 's/.*\(SONAME\).*\[(.*)\]/\1/p')" libtilegrad.so.0
readelf -d "$libraries/libtilegrad.so" | grep -q 'FLAGS_1.*NODELETE' || fail 'dlclose unloads the library under its threads'
[[ -f $libraries/libtilegrad.so.$version ]] || fail "no libtilegrad.so.$version"
same 'tilegrad --version' "$("$root/bin/tilegrad" --version)" "tilegrad $version"
[[ -f $root/share/tilegrad/sample/train-images-idx3-ubyte.gz ]] || fail 'no sample'
[[ -f $root/share/bash-completion/completions/tilegrad ]] || fail 'no completion'
! grep -rEi "$work|$build|dnnl|png" "$libraries/cmake" "$PKG_CONFIG_PATH" ||
    fail "a path of the build, or a library that isn't needed"

# ---- programs ----

needed() { readelf -d "$1" | sed -nE 's/.*\(NEEDED\).*\[(lib[a-z]+).*/\1/p'; }
said=" $version $version add "
programs=0
# works PROGRAM shared|static: it runs, prints the same as all others, and depends on the shared library or doesn't.
works() {
    local output needs
    output=$("$1") || fail "$1: exit status $?"
    [[ $output == "$said"* ]] || fail "$1: '$output' instead of '$said...'"
    said=$output
    needs=$(needed "$1" | grep -cx libtilegrad || true)
    same "$1: it needs libtilegrad" "$needs" "$([[ $2 == shared ]] && echo 1 || echo 0)"
    ! needed "$1" | grep -xE 'libpng|libdnnl' || fail "$1: links what it doesn't use"
    programs=$((programs + 1))
}

# through_pkg_config COMPILER SOURCE OPTION...
through_pkg_config() {
    local compile=("$1" "${@:3}" -Wall -Wextra -Wpedantic -Werror ${sanitize:+"$sanitize"} "$2" -o "$work/program")
    # shellcheck disable=SC2046
    "${compile[@]}" $(pkg-config --cflags --libs tilegrad) "-Wl,-rpath,$(pkg-config --variable=libdir tilegrad)"
    works "$work/program" shared
    # shellcheck disable=SC2046
    "${compile[@]}" $(pkg-config --cflags --libs tilegrad-static)
    works "$work/program" static
}

cat >"$work/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.18)
project(program LANGUAGES ${LANGUAGE})
foreach(wrong 99 0.0.0 "${VERSION};COMPONENTS;gpu")
    find_package(tilegrad ${wrong} QUIET)
    if(tilegrad_FOUND)
        message(FATAL_ERROR "found: tilegrad ${wrong}")
    endif()
endforeach()
find_package(tilegrad ${VERSION} REQUIRED COMPONENTS shared static)
find_package(PkgConfig REQUIRED)
pkg_check_modules(tilegrad_pc REQUIRED IMPORTED_TARGET tilegrad)
foreach(library tilegrad::tilegrad tilegrad::static PkgConfig::tilegrad_pc)
    string(REPLACE "::" "_" name ${library})
    add_executable(${name} program.${EXTENSION})
    target_link_libraries(${name} PRIVATE ${library})
endforeach()
CMAKE
# through_find_package COMPILER C|CXX EXTENSION: in a project of only this language.
through_find_package() {
    rm -rf "$work/build"
    "$cmake" -S "$work" -B "$work/build" -DLANGUAGE="$2" -DEXTENSION="$3" -DVERSION="$version" -DCMAKE_PREFIX_PATH="$root" \
             "-DCMAKE_$2_COMPILER=$1" "-DCMAKE_$2_FLAGS=$sanitize" >"$work/log" 2>&1 || fail "$(cat "$work/log")"
    "$cmake" --build "$work/build" >"$work/log" 2>&1 || fail "$(cat "$work/log")"
    works "$work/build/tilegrad_tilegrad" shared
    works "$work/build/tilegrad_static" static
    works "$work/build/PkgConfig_tilegrad_pc" shared
}

# both_ways C_COMPILER [C++_COMPILER]
both_ways() {
    through_pkg_config "$1" "$work/program.c" -std=c11
    through_find_package "$1" C c
    [[ -n ${2:-} ]] || { echo "skipped: C++, there is no compiler beside $1"; return; }
    through_pkg_config "$2" "$work/program.cpp" -std=c++17
    through_find_package "$2" CXX cpp
}

both_ways "${CC:-cc}" "${CXX:-}"
other=(clang clang++)
if "${CC:-cc}" --version | grep -q clang; then other=(gcc g++); fi
if [[ -n $sanitize ]]; then echo "skipped: ${other[0]}, which has sanitizers of its own"
elif ! command -v "${other[0]}" >/dev/null || ! command -v "${other[1]}" >/dev/null; then echo "skipped: no ${other[*]}"
else both_ways "${other[@]}"
fi
echo "ok    pkg-config, find_package, names, version: $programs programs"
