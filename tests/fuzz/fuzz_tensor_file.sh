#!/usr/bin/env bash
# Fuzzes the readers of files of tensors with libFuzzer and AddressSanitizer, then reports their coverage, and fails if
# less than 95 % of the branches are covered.
# usage: fuzz_tensor_file.sh BUILD_FOLDER [SECONDS]     (60; the folder has libtilegrad.a; exits 77 without clang)
set -euo pipefail
build=$(realpath "${1:?BUILD_FOLDER}") seconds=${2:-60}
cd "$(dirname "$0")/../.."
for tool in clang llvm-profdata llvm-cov; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Instrumented: the readers and their allocators.  The rest comes from the library.
readers=(lib/files/tensor_file{,_bytes,_names,_convert,_form}.c lib/files/safetensors_read.c)
for file in lib/files/npy*.c lib/files/npz_read.c lib/files/zip*.c; do
    [[ -f $file ]] && readers+=("$file")
done
sources=(tests/fuzz/fuzz_tensor_file.c "${readers[@]}" lib/files/checksum.c lib/record/scope.c lib/base/arena.c lib/base/system.c)
read -ra libraries < <(sed -n 's/^Libs: .*libtilegrad.a//p' "$build/tilegrad-static.pc" | sed 's/-fopenmp/-lgomp/')
compile() {
    clang -std=c11 -D_GNU_SOURCE -O1 -g -Ilib/base -Ilib/record -Ilib/files "${@:2}" "${sources[@]}" "$build/libtilegrad_inside.a" "${libraries[@]}" \
        -Wl,--wrap=pread -o "$work/$1"
}
compile fuzz -fsanitize=fuzzer,address
compile cover -fsanitize=fuzzer -fprofile-instr-generate -fcoverage-mapping

mkdir "$work/corpus"
"$work/fuzz" -max_total_time="$seconds" -timeout=5 -report_slow_units=1000 -rss_limit_mb=1024 -max_len=4096 \
    -dict=tests/fuzz/tensor_file.dict -artifact_prefix="$build/" -print_final_stats=1 \
    "$work/corpus" tests/fuzz/corpus 2>"$work/log" || { tail -n 40 "$work/log"; exit 1; }
grep -E 'number_of_executed|peak_rss' "$work/log"
LLVM_PROFILE_FILE=$work/raw "$work/cover" -runs=0 "$work/corpus" tests/fuzz/corpus 2>/dev/null
llvm-profdata merge -o "$work/profile" "$work/raw"
llvm-cov report "$work/cover" -instr-profile="$work/profile" -show-region-summary=false "${readers[@]}" |
    tee "$work/report"
[[ -z ${SHOW:-} ]] || llvm-cov show "$work/cover" -instr-profile="$work/profile" -show-branches=count "$SHOW"
awk '$1 == "TOTAL" { part = $NF + 0 } END { print "branches: " part " %, want 95 %"; exit part < 95 }' "$work/report"
