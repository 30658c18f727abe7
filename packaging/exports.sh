#!/usr/bin/env bash
# Writes the shared library's version script: exports the names that the object defines and the public headers mention.
# usage: exports.sh NM OBJECT OUTPUT COMPILER OPTION... HEADER
set -euo pipefail
nm=$1 object=$2 output=$3
shift 3
names=$(comm -12 <("$nm" -g --defined-only "$object" | awk '{ print $3 }' | LC_ALL=C sort -u) \
                 <("$@" -E -P | grep -ow 'tg_[a-z0-9_]*' | LC_ALL=C sort -u))
[[ -n $names ]] || { echo "$object: defines no name of the public headers" >&2; exit 1; }
printf '{\nglobal:\n%s;\nlocal: *;\n};\n' "${names//$'\n'/$';\n'}" >"$output"
