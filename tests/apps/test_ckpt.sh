#!/usr/bin/env bash
# Tests `tilegrad ckpt` as users run it: each subcommand on good and bad files, exit codes, messages, memory.
# usage: test_ckpt.sh TILEGRAD
set -u
tilegrad=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0 rows=0

fail() { printf 'FAIL  %s\n' "$*"; (( failures++ )); }

# expect STATUS TEXT ARGUMENT...: `tilegrad ckpt ARGUMENT...` exits with STATUS, and its output matches the pattern TEXT.
expect() {
    local want=$1 text=$2 output status
    shift 2
    output=$("$tilegrad" ckpt "$@" 2>&1 </dev/null)
    status=$?
    (( rows++ ))
    if (( status == want )) && grep -qE -- "$text" <<<"$output"; then
        printf 'ok    %s\n' "$*"
    else
        fail "$*: status $status, want $want and \"$text\" in:"$'\n'"$output"
    fi
}

# lacks TEXT ARGUMENT...: the output of `tilegrad ckpt ARGUMENT...` doesn't contain TEXT.
lacks() {
    local text=$1 output
    shift
    output=$("$tilegrad" ckpt "$@" 2>&1 </dev/null)
    (( rows++ ))
    grep -qE -- "$text" <<<"$output" && fail "$*: \"$text\" is in:"$'\n'"$output"
}

# safetensors FILE HEADER DATA: writes a file; DATA may contain printf's escapes.
safetensors() {
    local n=${#2}
    {
        printf '%b' "$(printf '\\x%02x\\x%02x\\x%02x\\0\\0\\0\\0\\0' $(( n & 255 )) $(( n >> 8 & 255 )) $(( n >> 16 )))"
        printf '%s' "$2"
        printf '%b' "$3"
    } >"$1"
}

one='\x00\x00\x80\x3f' two='\x00\x00\x00\x40' three='\x00\x00\x40\x40' nan='\x01\x00\xc0\x7f' infinity='\x00\x00\x80\x7f'
third='\xab\xaa\xaa\x3e' tiny='\x01\x00\x00\x00'
# run NAME W0 W1 COUNTER: writes a model of two floats and a counter, and an optimizer's state
run() {
    safetensors "$1" '{"__metadata__":{"format":"pt","made/by":"a test","optim/lr":"0.1","note":"\u001b[31mred"},'$(
        )'"steps":{"dtype":"I64","shape":[],"data_offsets":[0,8]},'$(
        )'"body.1.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]},'$(
        )'"optim/m/body.1.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[16,24]}}' "$4\0\0\0\0\0\0\0$2$3$one$one"
}
run a.safetensors "$one" "$two" '\x05'
run b.safetensors "$one" "$three" '\x07'
safetensors other.safetensors '{"body.1.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},'$(
    )'"body.2.weight":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}' "$one$two$one"
safetensors odd.safetensors '{"x":{"dtype":"F32","shape":[5],"data_offsets":[0,20]},"w":{"dtype":"I8","shape":[1],"data_offsets":[20,21]}}' \
    "$nan$infinity$third$tiny$two\x80"
safetensors wide.safetensors '{"x":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}' '\x9a\x99\x99\x99\x99\x99\xb9\x3f'
safetensors clash.safetensors '{"module.a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}' '\1\2'
head -c 150 a.safetensors >cut.safetensors
printf 'nothing of the kind' >text

# ---- usage ----
expect 0 'Examples:'                            --help
expect 2 'no command: want inspect, verify'
expect 2 "unknown command 'show'"               show
for command in inspect verify diff convert average strip rename meta; do
    expect 0 'Examples:'                        $command --help
    expect 2 'no arguments: want'               $command
done
expect 2 "too many arguments: 'b'"              inspect a b
expect 2 'too few arguments: want A and B'      diff a
expect 2 'too few arguments: want IN and OUT'   convert a
expect 2 'too few arguments: want OUT'          average a b
expect 2 "--dtype 'f64': want f32, bf16 or f16" convert a b --dtype f64
expect 2 'no --map'                             rename a b
expect 2 "unknown command 'put'"                meta put a.safetensors
expect 2 'want get FILE KEY'                    meta get a.safetensors
expect 2 'want set FILE KEY VALUE'              meta set a.safetensors key

# ---- missing files, and files of other formats ----
for command in inspect verify; do
    expect 1 'none: cannot be opened: No such file'     $command none
    expect 1 'text: .*neither safetensors nor .npz'     $command text
    expect 1 'cut.safetensors: '                        $command cut.safetensors
done
expect 1 'none: cannot be opened'               diff a.safetensors none
expect 1 'none: cannot be opened'               convert none x.safetensors
expect 1 '/proc/x.npz'                          convert a.safetensors /proc/x.npz

# ---- inspect ----
expect 0 'safetensors, 3 tensors, 5 numbers, 24 B'   inspect a.safetensors
expect 0 '^model: 2 tensors, 3 numbers, 16 B'        inspect a.safetensors
expect 0 '^optim: 1 tensor, 2 numbers, 8 B'          inspect a.safetensors
expect 0 '^      weight    F32  \[2, 1\] +8 B'       inspect a.safetensors
expect 0 '  optim/lr = 0.1'                          inspect a.safetensors
expect 0 'u001b\[31mred'                             inspect a.safetensors
lacks $'\e'                                          inspect a.safetensors
expect 0 'x .* 1.4013e-45 +2 +0.77778 +1 +1$'        inspect --stats odd.safetensors
expect 0 'w .* -128 +-128 +-128 +0 +0$'              inspect --stats odd.safetensors
expect 0 '"name": "body.1.weight"'                   inspect --json a.safetensors
expect 0 '"nan": 1'                                  inspect --json --stats odd.safetensors

# ---- verify ----
expect 0 'a.safetensors: good: .*no checksums'       verify a.safetensors
expect 1 'cut.safetensors'                           verify a.safetensors cut.safetensors b.safetensors
expect 0 ''                                          convert a.safetensors sealed.safetensors
expect 0 'good: .*checksums .XXH3'                   verify sealed.safetensors
printf '\x41' | dd of=sealed.safetensors bs=1 seek=$(( $(stat -c %s sealed.safetensors) - 2 )) conv=notrunc status=none
expect 1 'is damaged'                                verify sealed.safetensors
expect 1 'damaged: 1 of 3 tensors'                   verify sealed.safetensors

# ---- diff ----
expect 0 '^same: 3 tensors'                          diff a.safetensors a.safetensors
expect 1 'steps +1 of 1 differ, by 2 at most'        diff a.safetensors b.safetensors
expect 1 'body.1.weight +1 of 2 differ, by 1 at most \(relative 0.333\): 2 and 3 at \[1, 0\]' diff a.safetensors b.safetensors
expect 1 '^the first of A that differs: steps'       diff a.safetensors b.safetensors
expect 1 'body.1.weight +F32 \[2, 1\] in A, F32 \[1, 2\] in B' diff a.safetensors other.safetensors
expect 1 'only in B:'                                diff a.safetensors other.safetensors
expect 1 '2 in one file only or of another shape|4 in one file only' diff a.safetensors other.safetensors
expect 0 '^same'                                     diff odd.safetensors odd.safetensors
safetensors nan.safetensors '{"x":{"dtype":"F32","shape":[5],"data_offsets":[0,20]},"w":{"dtype":"I8","shape":[1],"data_offsets":[20,21]}}' \
    "\x02\x00\xc0\x7f$infinity$third$tiny$two\x80"
expect 1 'x +1 of 5 differ, 1 with a NaN'            diff odd.safetensors nan.safetensors
safetensors zero.safetensors '{"x":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}' '\0\0\0\0'
safetensors minus.safetensors '{"x":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}' '\0\0\0\x80'
expect 0 '^same'                                     diff zero.safetensors minus.safetensors

# ---- convert ----
expect 0 'metadata; 4 entries are left out'          convert a.safetensors a.npz
expect 0 '^same: 3'                                  diff a.safetensors a.npz
expect 0 'good: npz.*CRC-32'                         verify a.npz
expect 0 '^3 tensors as they are$'                   convert a.npz back.safetensors
expect 1 'x.npy: .npy holds one array'               convert a.npz x.npy
expect 0 '^same: 3'                                  diff a.safetensors back.safetensors
expect 0 'x +2 +0.000651 +1  1 became 0'              convert odd.safetensors half.safetensors --dtype bf16
expect 0 '1 tensor.* to BF16, 0 of them exactly; 1 tensor as' convert odd.safetensors half.safetensors --dtype bf16
expect 1 'x +F32 \[5\] in A, BF16 \[5\] in B'        diff odd.safetensors half.safetensors
expect 0 '1 became 0'                                convert odd.safetensors half.npz --dtype f16
expect 1 'BF16, which NumPy.*convert it to F32'      convert half.safetensors x.npz
expect 0 '1 tensor.* to F32, 1 of them exactly'      convert half.safetensors x.npz --dtype f32
expect 0 'x +1 +1.49e-09 +1.49e-08'                  convert wide.safetensors narrow.safetensors --dtype f32
safetensors f8.safetensors '{"w":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[0,3]},"v":{"dtype":"F8_E5M2","shape":[3],"data_offsets":[3,6]}}' \
    '\x38\xc0\x7e\x3c\xc0\x7b'
expect 0 '2 tensors to F32, 2 of them exactly'       convert f8.safetensors x8.safetensors --dtype f32
expect 0 'w .* -2 +448 +149 '                        inspect --stats x8.safetensors
expect 0 'v .* -2 +57344 +19114 '                    inspect --stats x8.safetensors
safetensors f4.safetensors '{"w":{"dtype":"F4","shape":[2],"data_offsets":[0,1]},"v":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}' "\0$one"
expect 1 "f4.safetensors: tensor 'w': F4 cannot be converted to F32" convert f4.safetensors x.safetensors --dtype f32
expect 0 'F4 '                                       inspect f4.safetensors
cp a.safetensors same.safetensors
expect 0 ''                                          convert same.safetensors same.safetensors
expect 0 '^same: 3'                                  diff a.safetensors same.safetensors
expect 0 'a test'                                    meta get same.safetensors made/by

# ---- files beside the output, links, modes ----
run y.part "$one" "$two" '\x05'
cp y.part y.copy
expect 0 ''                                          convert y.part y
expect 0 '^same: 3'                                  diff y.part y
(( rows++ )); cmp -s y.part y.copy || fail 'the input was OUT.part, and is gone'
ln y.part y2.part
expect 0 ''                                          strip y.part y2
expect 0 ''                                          average y3 y.part y2.part
(( rows++ )); cmp -s y.part y.copy || fail 'a hard link to the input was OUT.part, and is changed'
ln -s y.copy y.link
chmod 600 y.copy
expect 0 ''                                          convert y.link y.link --dtype bf16
(( rows++ )); [[ $(readlink y.link) == y.copy && $(stat -c %a y.copy) == 600 ]] || fail 'a link or a mode was lost'
rm y.part y2.part

# ---- average ----
expect 0 '1 tensor.* averaged over 2 files, 1 taken'  average mean.safetensors a.safetensors b.safetensors
expect 0 'weight .* 1 +2.5 +1.75 '                   inspect --stats mean.safetensors
expect 0 'steps .* 7 +7 +7 '                         inspect --stats mean.safetensors
lacks 'optim'                                        inspect mean.safetensors
expect 1 'steps: missing in other'                   average x.safetensors a.safetensors other.safetensors
expect 1 'body.1.weight: has another shape in other' average x.safetensors a.safetensors other.safetensors
expect 1 'body.2.weight: only in other'              average x.safetensors a.safetensors other.safetensors

# ---- strip ----
expect 0 '2 tensors kept, 1 left out'                strip a.safetensors model.safetensors
lacks 'optim'                                        inspect model.safetensors
expect 0 'made/by = a test'                          inspect model.safetensors
expect 0 'format = pt'                               inspect model.safetensors

# ---- rename ----
printf '# to torchvision\n\nbody.* features.*\nsteps  counter\n' >map
expect 0 '2 of 3 tensors renamed'                    rename a.safetensors renamed.safetensors --map map
expect 0 'counter +I64'                              inspect renamed.safetensors
expect 0 '"features.1.weight"'                       inspect --json renamed.safetensors
expect 0 'optim/lr = 0.1'                            inspect renamed.safetensors
printf 'module.* *\n' >map
expect 1 "module.a and a would both be named 'a'|a and module.a would" rename clash.safetensors x.safetensors --map map
expect 1 "map:1: no remaining tensor matches 'module.\*'"  rename a.safetensors x.safetensors --map map
printf 'body.* features\n' >map
expect 1 "map:1: want a '\*' at the end of both"     rename a.safetensors x.safetensors --map map
printf 'steps\n' >map
expect 1 'map:1: want OLD NEW'                       rename a.safetensors x.safetensors --map map
expect 1 'nomap: cannot be opened'                   rename a.safetensors x.safetensors --map nomap

printf 'body.* a.*\nbody.1.weight exact\n' >map
expect 1 "map:2: no remaining tensor matches 'body.1.weight'"  rename a.safetensors x.safetensors --map map
printf 'body.1.weight exact\nbody.* a.*\n' >map
expect 1 "map:2: no remaining tensor matches 'body.\*'"     rename a.safetensors x.safetensors --map map
printf 'body.1.* one.*\nbody.* a.*\noptim/* o.*\n* all.*\n' >map
expect 1 "map:2: no remaining tensor matches 'body.\*'"     rename a.safetensors x.safetensors --map map
printf 'body.1.* one.*\nbody.1.weighty no\nbody.1.weigh no\n' >map
expect 1 "map:2: no remaining tensor matches 'body.1.weighty'" rename a.safetensors x.safetensors --map map
printf 'body.1.* one.*\noptim/* o.*\n* all.*\n' >map
expect 0 '3 of 3 tensors renamed'                    rename a.safetensors y.safetensors --map map
expect 0 '"all.steps"'                               inspect --json y.safetensors
expect 0 '"one.weight"'                              inspect --json y.safetensors
expect 0 '"o.m/body.1.weight"'                       inspect --json y.safetensors

# ---- many names: no loop over them is quadratic (80,000 pairs took 5 minutes) ----
many() {       # N pairs, with this many values
    awk -v n="$1" -v of="$2" 'BEGIN {
        printf "{\"__metadata__\":{"
        for (i = 0; i < n; i++) printf "%s\"key/%d\":\"value %d\"", i ? "," : "", i * 7919 % n, i % of
        printf "}}"
    }'
}
named() {      # N tensors
    awk -v n="$1" 'BEGIN {
        for (i = 0; i < n; i++)
            printf "%s\"layer.%d.weight\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", i ? "," : "{", i
        printf "}"
    }'
}
safetensors many.safetensors "$(many 80000 1000)" ''
safetensors others.safetensors "$(many 80000 999)" ''
safetensors named.safetensors "$(named 60000)" ''
awk 'BEGIN { for (i = 59999; i >= 0; i--) printf "layer.%d.* l%d.*\n", i, i }' >map
ulimit -S -t 60                                     # seconds of processor time
expect 0 '^same: 0 tensors'                          diff many.safetensors others.safetensors
expect 0 '^value 7$'                                 meta get many.safetensors key/55433
expect 0 '60000 of 60000 tensors renamed'            rename named.safetensors many.safetensors --map map
ulimit -S -t unlimited

# ---- meta ----
expect 0 '^0.1$'                                     meta get a.safetensors optim/lr
expect 1 "no metadata 'nothing'"                     meta get a.safetensors nothing
expect 0 '^format = pt$'                             meta list a.safetensors
lacks $'\e'                                          meta list a.safetensors
expect 0 ''                                          meta set a.safetensors made/by 'another test'
expect 0 '^another test$'                            meta get a.safetensors made/by
expect 0 ''                                          meta set a.safetensors new 'Ünï "quoted"'
expect 0 '^Ünï "quoted"$'                            meta get a.safetensors new
expect 0 'good: .*XXH3'                              verify a.safetensors
expect 0 '^same: 3'                                  diff a.safetensors back.safetensors
expect 1 "'tilegrad.format'"                         meta set a.safetensors tilegrad.format 2
expect 1 'npz holds no metadata'                     meta set a.npz key value
expect 1 'not valid UTF-8|no valid UTF-8'            meta set a.safetensors key $'\xff'

# Failures left no files behind.
(( rows++ ))
compgen -G '*.part' && fail 'PATH.part was left behind'
[[ -e x.safetensors ]] && fail 'a file was written although the command failed'

# ---- peak memory, with 300 MB files ----
# most MEGABYTES ARGUMENT...
most() {
    local limit=$(( $1 * 1024 )) peak=0 now process
    shift
    "$tilegrad" ckpt "$@" >output 2>&1 &
    process=$!
    while now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' /proc/$process/status 2>/dev/null); [[ $now ]]; do
        (( peak = now > peak ? now : peak ))
        sleep 0.01
    done
    wait "$process" || fail "$*: $(cat output)"
    (( rows++ ))
    if (( peak == 0 || peak > limit )); then fail "$*: $peak KiB of memory, want at most $limit"; else echo "ok    $*: $peak KiB"; fi
}
if [[ -z ${SANITIZE:-} ]]; then
    safetensors big.safetensors '{"a":{"dtype":"F32","shape":[5000,7500],"data_offsets":[0,150000000]},'$(
        )'"b":{"dtype":"F32","shape":[37500000],"data_offsets":[150000000,300000000]}}' ''
    truncate -s $(( $(stat -c %s big.safetensors) + 300000000 )) big.safetensors
    most 40 inspect --stats big.safetensors
    most 40 convert big.safetensors big.npz
    most 40 convert big.safetensors half.safetensors --dtype bf16
    most 40 average half.safetensors big.safetensors big.npz big.safetensors
    printf 'a b.a\n' >map
    most 40 rename big.safetensors half.safetensors --map map
    most 40 strip half.safetensors half.safetensors
    most 40 meta set half.safetensors key value
    rm half.safetensors

    # ---- an interrupt leaves no files behind ----
    (( rows++ ))
    "$tilegrad" ckpt convert big.safetensors stopped.npz --dtype f16 >output 2>&1 &
    process=$!
    for (( i = 0; i < 300; i++ )); do [[ -e stopped.npz.part ]] && break; sleep 0.01; done
    kill -INT "$process"
    wait "$process"
    status=$?
    if (( status != 130 )) || ! grep -q interrupted output || compgen -G 'stopped.*'; then
        fail "interrupt: status $status, want 130; $(cat output)"
    fi

    most 40 verify big.npz
    most 40 diff big.safetensors big.npz
fi

printf '%d rows, %d failures\n' "$rows" "$failures"
(( failures == 0 ))
