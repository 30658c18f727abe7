#!/usr/bin/env bash
# Tests checkpoints of `tilegrad train` as users see them: saving, resuming, damage, signals, full disks; `tilegrad eval`.
# usage: test_train.sh TILEGRAD
set -u
tilegrad=$1
. "$(dirname "$0")/train_tools.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0 rows=0
make_images "$work/images" 96 40
tiny=(--data "$work/images" --batch 16)                  # 6 steps per epoch

fail() {
    printf 'FAIL  %s\n' "$1"
    (( failures++ ))
}

# expect STATUS TEXT ARGUMENT...: the command exits with STATUS, and its output matches the pattern TEXT.
expect() {
    local want=$1 text=$2 output status
    shift 2
    output=$("$tilegrad" "$@" 2>&1 </dev/null)
    status=$?
    (( rows++ ))
    if (( status == want )) && grep -qE -- "$text" <<<"$output"; then printf 'ok    %s\n' "${*//$work\//}"
    else fail "$*: status $status, want $want and \"$text\" in:"$'\n'"$output"
    fi
}

# check NAME COMMAND...: the command succeeds.
check() {
    local name=$1 output
    shift
    (( rows++ ))
    if output=$("$@" 2>&1); then printf 'ok    %s\n' "$name"; else fail "$name"$'\n'"$output"; fi
}

files() { (cd "$1" && echo *) ; }
is() { [[ $1 == "$2" ]] || { printf 'got  %s\nwant %s\n' "$1" "$2"; return 1; }; }

# flip FILE OFFSET: changes a byte (a negative offset counts from the end).
flip() {
    local place=$2 byte
    (( place < 0 )) && place=$(( $(stat -c %s "$1") + place ))
    byte=$(od -An -tu1 -j "$place" -N1 "$1")
    printf "$(printf '\\x%02x' $(( byte ^ 4 )))" | dd of="$1" bs=1 seek="$place" conv=notrunc status=none
}

# ---- the command line ----
expect 2 '--resume auto: want --out DIR'               train lenet --resume auto
expect 2 "--resume '': want auto, none or a file"      train lenet --resume ''
expect 2 "--out '': want the name of a folder"         train lenet --out ''
expect 2 '--save-every: want --out DIR'                train lenet --save-every 5
expect 2 '--save-minutes: want --out DIR'              train lenet --save-minutes 5
expect 2 "--save-every '0': want a whole number"       train lenet --out "$work/x" --save-every 0
expect 2 "--save-minutes 'nan': want a number"         train lenet --out "$work/x" --save-minutes nan
expect 2 "--keep '0': want a whole number"             train lenet --out "$work/x" --keep 0
expect 2 'no model'                                    train --resume none
expect 2 'no checkpoint'                               eval
expect 2 "unknown model 'lenin'"                       eval x --model lenin
expect 2 "--classes '0': want a whole number"          eval x --classes 0

# ---- files written ----
run=$work/run
expect 0 'after 2 epochs'                              train lenet "${tiny[@]}" --epochs 2 --save-every 2 --keep 2 \
                                                       --out "$run"
check 'files of --out' is "$(files "$run")" "best.safetensors ckpt-00000010.safetensors ckpt-00000012.safetensors $(
      )last.safetensors metrics.jsonl predictions.png run.json"
check 'metrics.jsonl: a line an epoch' is "$(grep -c '"test_accuracy":' "$run/metrics.jsonl")" 2
N='[0-9.]+'
check 'metrics.jsonl: what is in it' grep -qE "^\{\"epoch\":2,\"step\":12,\"loss\":$N,\"accuracy\":$N,$(
      )\"test_accuracy\":$N,\"lr\":0.0,\"images_per_second\":$N,\"seconds\":$N\}\$" "$run/metrics.jsonl"
check 'run.json: options'  grep -q '"batch": 16,' "$run/run.json"
check 'run.json: its end'  grep -q '"how": "done"' "$run/run.json"
more_than_weights() { contents "$1" | grep -cE '^"(optim|train|loader|random)/'; }
check 'best has weights only' is "$(more_than_weights "$run/best.safetensors")" 0
check 'last has more' test "$(more_than_weights "$run/last.safetensors")" -gt 20
expect 0 'after 1 epochs'                              train lenet "${tiny[@]}" --epochs 1 --save-minutes 1e-6 \
                                                       --out "$work/minutes"
check '--save-minutes' bash -c "compgen -G '$work/minutes/ckpt-*'"
expect 0 'after 1 epochs'                              train mlp --data "$work/images" --batch 1 --lr 0.001 --epochs 1 \
                                                       --out "$work/lines"
check 'a line each 50 steps' grep -q '"step":50,' "$work/lines/metrics.jsonl"

# ---- resuming: options ----
expect 1 'holds last.safetensors of step 12: --resume auto resumes'  train lenet "${tiny[@]}" --out "$run"
expect 1 "--batch 32 \(16 in the file\), --optimizer adam \(sgd in the file\), --dtype bf16 \(fp32" \
         train lenet --batch 32 --optimizer adam --dtype bf16 --resume auto --out "$run"
expect 1 'MODEL mlp \(lenet in the file\), --seed 9'   train mlp --seed 9 --resume "$run/last.safetensors"
expect 1 '--data sample \(.*images in the file\)'      train --data sample --resume "$run/last.safetensors"
expect 1 '--epochs 1: 2 are done'                      train --epochs 1 --resume "$run/last.safetensors"
expect 1 "training can't resume from it"               train --resume "$run/best.safetensors"
expect 1 'none.safetensors: .*No such file'            train --resume "$run/none.safetensors"
expect 1 'holds last.safetensors of step 12'       train --resume "$run/ckpt-00000010.safetensors"
expect 1 'no checkpoint to resume from, and no MODEL'         train --out "$work/nothing" --resume auto
expect 0 'nothing to go on from in .*: starts anew'    train lenet "${tiny[@]}" --epochs 1 --resume auto \
                                                       --out "$work/nothing"
expect 0 'after 2 epochs'                              train --out "$run" --resume auto
check 'metrics.jsonl: no line twice' is "$(grep -c '"test_accuracy":' "$run/metrics.jsonl")" 2
expect 0 'after 3 epochs'                              train --epochs 3 --resume "$run/last.safetensors"
expect 0 'after 4 epochs'                              train --epochs 4 --resume "$run/last.safetensors" --out "$work/moved"
check 'another folder gets a best of its own' test -f "$work/moved/best.safetensors"
check 'run.json: an entry each time' is "$(grep -c '"started":' "$run/run.json")" 3
expect 0 'after 1 epochs'                              train lenet "${tiny[@]}" --epochs 1 --out "$run" --resume none
check 'none removes what was there' is "$(files "$run")" \
      'best.safetensors last.safetensors metrics.jsonl predictions.png run.json'
check 'metrics.jsonl begins anew' is "$(wc -l <"$run/metrics.jsonl")" 1
TG_MAX_ISA=avx2 expect 0 'not to the bit .*instructions [a-z0-9_]+ \(now ' \
                                                       train --resume "$run/last.safetensors" --epochs 2

"$tilegrad" train mlp "${tiny[@]}" --epochs 1 --threads 2 --out "$work/fp32" >/dev/null
"$tilegrad" train mlp "${tiny[@]}" --epochs 1 --threads 2 --dtype bf16 --out "$work/bf16" >/dev/null
# Libraries may split sums by the number of threads; our kernels never do.
if "$tilegrad" info | grep -E '^  (openblas|onednn) ' | grep -qv 'not in this build'; then
    expect 0 'not to the bit .*threads 2 \(now 1\)' train --resume "$work/fp32/last.safetensors" --threads 1
else
    check 'fp32: the same bits with other threads' is \
          "$("$tilegrad" train --resume "$work/fp32/last.safetensors" --threads 1 | grep -c 'not to the bit')" 0
fi
check 'bf16: the same bits with other threads' is \
      "$("$tilegrad" train --resume "$work/bf16/last.safetensors" --threads 1 | grep -c 'not to the bit')" 0

# ---- resuming: damage ----
broken() {      # a folder with checkpoints of steps 8, 10, 12 and last, of step 12
    rm -rf "$work/broken"
    cp -r "$work/whole" "$work/broken"
}
expect 0 'after 3 epochs'                              train mlp "${tiny[@]}" --epochs 3 --save-every 2 \
                                                       --out "$work/whole"
auto=(train --out "$work/broken" --resume auto)
broken && truncate -s -1 "$work/broken/last.safetensors"
expect 0 'passed over: .*last.safetensors: '                        "${auto[@]}"
broken && truncate -s -1 "$work/broken/last.safetensors"
expect 0 'goes on from .*ckpt-00000018.safetensors: epoch 3, step 18' "${auto[@]}"
check 'from the end of an epoch, before its test' same "$work/whole/last.safetensors" "$work/broken/last.safetensors"
broken && flip "$work/broken/last.safetensors" -1000 && flip "$work/broken/ckpt-00000018.safetensors" -1000000
expect 0 'goes on from .*ckpt-00000016.safetensors: epoch 3, step 16' "${auto[@]}"
check 'the same bits from there on' same "$work/whole/last.safetensors" "$work/broken/last.safetensors"
check 'the same lines from there on' diff <(lines "$work/whole") <(lines "$work/broken")
broken && flip "$work/broken/last.safetensors" 2
expect 0 'passed over: .*last.safetensors: '                        "${auto[@]}"
broken && : >"$work/broken/last.safetensors"
expect 0 'passed over: .*last.safetensors: '                        "${auto[@]}"
broken && flip "$work/broken/last.safetensors" 300
expect 1 'last.safetensors: '                          train --resume "$work/broken/last.safetensors"
broken && for file in "$work"/broken/*.safetensors; do flip "$file" 100; done
expect 0 'nothing to go on from .*: starts anew'       "${auto[@]}" mlp "${tiny[@]}" --epochs 1
broken && rm "$work"/broken/ckpt-* && : >"$work/broken/ckpt-00000004.safetensors.part"
expect 0 'goes on from .*last.safetensors: epoch 4, step 18' "${auto[@]}"
check 'what a killed save left goes' is "$(files "$work/broken")" \
      'best.safetensors last.safetensors metrics.jsonl predictions.png run.json'

# ---- impossible values in a checkpoint ----
# wrong TEXT KEY VALUE: a file with this value is refused immediately.
wrong() {
    local output status
    cp "$work/whole/ckpt-00000016.safetensors" "$work/wrong.safetensors"
    "$tilegrad" ckpt meta set -- "$work/wrong.safetensors" "$2" "$3"
    output=$(timeout 60 "$tilegrad" train --resume "$work/wrong.safetensors" --out "$work/wrong" 2>&1 </dev/null)
    status=$?
    (( rows++ ))
    if (( status == 1 )) && grep -qE -- "$1" <<<"$output"; then printf 'ok    %s %s\n' "$2" "$3"
    else fail "$2 $3: status $status, want 1 and \"$1\" in:"$'\n'"$output"
    fi
}
wrong 'train/seen is 63, want 64: the images of 4 batches'  train/seen 63
wrong 'train/seen is 96, want 64'                               train/seen 96
wrong 'train/seen is 0, want 64'                                train/seen 0
wrong 'train/seen: "97" in the file'                            train/seen 97
wrong 'train/seen is 64, want 48'                               loader/batch 3
wrong 'loader/batch: "7" in the file'                           loader/batch 7
wrong 'train/marked/seen exceeds train/seen'                   train/marked/seen 65
for epoch in -9223372036854775808 -1 0 9223372036854775807 18446744073709551617 1x ''; do
    wrong "train/epoch is \"$epoch\", want a whole number of at least 1" train/epoch "$epoch"
done
for step in -1 9223372036854775807 99999999999999999999 0x10 ' 5' ''; do
    wrong 'no train/step'                                train/step "$step"
done
rm -rf "$work/wrong"

# ---- resuming: files that the system refuses to read don't count as damaged ----
# refused HOW CALL: "auto" stops, reports it, and leaves everything as it was, wherever open or pread fails with this errno.
shim=$(dirname "$tilegrad")/tests/libfault_shim.so
refused() {
    local at before output hit=0
    for at in 2 3 4 6 8; do                              # open, fstat, pread, pread; open, to read all of it
        broken
        before=$(cd "$work/broken" && sha256sum *.safetensors)
        output=$(FAULT_PATH=broken/last FAULT_AT=$at FAULT_HOW=$1 FAULT_LOG=$work/log LD_PRELOAD=$preload:$shim \
                 "$tilegrad" "${auto[@]}" 2>&1)
        [[ $? == 1 && $output == *"last.safetensors: "* && $output != *'starts anew'* ]] &&
            is "$(cd "$work/broken" && sha256sum *.safetensors)" "$before" || { echo "$at: $output"; return 1; }
        grep -q HIT "$work/log" && (( ++hit ))
        rm -f "$work/log"
    done
    (( hit > 2 ))
}
preload=$(ldd "$tilegrad" | grep -oE '/[^ ]*lib[at]san[^ ]*' | head -1)
if [[ -e $shim ]]; then
    check 'EACCES is no damage' refused 13
    check 'EIO is no damage'    refused 5
    check 'ENOMEM is no damage' refused 12
else
    echo 'skipped: files that the system refuses: no libfault_shim.so here'
fi
broken && rm "$work/broken/last.safetensors" && mkdir "$work/broken/last.safetensors"
expect 1 'last.safetensors: not a regular file'        "${auto[@]}"
broken && rm "$work/broken"/*.safetensors && ln -s elsewhere "$work/broken/last.safetensors"
expect 0 'nothing to go on from .*: starts anew'       "${auto[@]}" mlp "${tiny[@]}" --epochs 1
check 'a link stays a link' test -L "$work/broken/last.safetensors" -a -f "$work/broken/elsewhere"

# ---- other programs' run.json ----
for text in 'no JSON' '' '{"runs": 1}' '[1, 2]'; do
    broken && printf '%s' "$text" >"$work/broken/run.json"
    expect 0 'run.json: not .*; renamed to .*run.json.damaged' "${auto[@]}"
    check 'it stays' is "$(cat "$work/broken/run.json.damaged")" "$text"
    check 'a new one begins' grep -q '"how": "done"' "$work/broken/run.json"
done
printf 'again' >"$work/broken/run.json"
expect 0 'renamed to .*run.json.damaged2'               "${auto[@]}"
broken && rm "$work/broken/run.json" && mkdir "$work/broken/run.json"
expect 1 'run.json: '                                  "${auto[@]}"

# ---- resuming: the same bits as without a stop ----
# exact ARGUMENT...: 3 epochs in one run equal 7 steps (1 thread), 6 more (2 threads), and the rest (1 thread).
exact() {
    rm -rf "$work/once" "$work/parts"
    "$tilegrad" train "$@" "${tiny[@]}" --epochs 3 --threads 2 --out "$work/once" >/dev/null &&
        "$tilegrad" train "$@" "${tiny[@]}" --epochs 3 --threads 1 --out "$work/parts" --save-every 7 \
            >/dev/null || return 1
    rm "$work/parts"/{last,ckpt-00000014}.safetensors
    "$tilegrad" train --out "$work/parts" --resume auto --threads 2 --save-every 13 >/dev/null &&
        rm "$work/parts/last.safetensors" &&
        "$tilegrad" train --resume "$work/parts/ckpt-00000013.safetensors" --threads 1 >/dev/null &&
        same "$work/once/last.safetensors" "$work/parts/last.safetensors" &&
        diff <(lines "$work/once") <(lines "$work/parts")
}
export TG_BACKEND=ref,vector,brgemm
for optimizer in sgd adam adamw; do
    check "exact: mlp, fp32, $optimizer, decay" exact mlp --optimizer "$optimizer" --weight-decay 0.01
    check "exact: mlp, bf16, $optimizer, augmented" exact mlp --dtype bf16 --optimizer "$optimizer" --augment
done
check 'exact: lenet, fp32, step, warm-up' exact lenet --schedule step --warmup 4
check 'exact: lenet, fp32, one-cycle'     exact lenet --schedule one-cycle
check 'exact: lenet, bf16, augmented'     exact lenet --dtype bf16 --augment
unset TG_BACKEND
check 'exact: lenet, bf16, any backend'   exact lenet --dtype bf16

# ---- signals ----
# begin ARGUMENT...: starts a long training run and waits for the end of its first epoch.
begin() {
    rm -rf "$work/signal" "$work/moved"
    : >"$work/output"
    "$tilegrad" train mlp "${tiny[@]}" --epochs 100000 "$@" >"$work/output" 2>&1 &
    process=$!
    for (( i = 0; i < 300; i++ )); do
        grep -q '^epoch 1/' "$work/output" && return
        sleep 0.1
    done
    fail "a training does not begin: $(cat "$work/output")"
}

# ends STATUS TEXT: the training run has ended with this status and output.
ends() {
    wait "$process" 2>/dev/null
    local status=$?
    (( rows++ ))
    if (( status == $1 )) && grep -qE "$2" "$work/output"; then printf 'ok    a signal: %s\n' "$2"
    else fail "a signal: status $status, want $1 and \"$2\" in:"$'\n'"$(tail -5 "$work/output")"
    fi
}

begin --out "$work/signal"
kill -USR1 "$process"
for (( i = 0; i < 100; i++ )); do grep -q '^saved at step' "$work/output" && break; sleep 0.1; done
check 'SIGUSR1 saves' grep -q '^saved at step' "$work/output"
expect 1 'another training is writing there'           train mlp "${tiny[@]}" --out "$work/signal" --resume auto
kill -INT "$process"
ends 130 'interrupted in epoch .*--resume auto continues'
check 'run.json: stopped' grep -q '"how": "stopped"' "$work/signal/run.json"
expect 0 "test accuracy"                               eval "$work/signal/last.safetensors"
begin --out "$work/signal"
kill -TERM "$process"
ends 143 'terminated in epoch .*--resume auto continues'
begin --out "$work/signal"
kill -HUP "$process"
kill -HUP "$process" 2>/dev/null
ends 129 'hung up in epoch .*--resume auto continues'
expect 0 'last.safetensors: good'                      ckpt verify "$work/signal/last.safetensors"
pipe() {     # the reader closes the pipe after the first lines
    "$tilegrad" train mlp "${tiny[@]}" --epochs 100000 --out "$work/pipe" 2>"$work/output" | head -6 >/dev/null
    is "${PIPESTATUS[0]}" 141 && grep -q 'broken pipe: stopped in epoch .*--resume auto continues' "$work/output"
}
check 'SIGPIPE saves' pipe
expect 0 'last.safetensors: good'                      ckpt verify "$work/pipe/last.safetensors"
check 'run.json: stopped by SIGPIPE' grep -q '"how": "stopped"' "$work/pipe/run.json"
ignored() {  # as nohup and some parent processes set it: an error at the end
    ( trap '' PIPE; "$tilegrad" train mlp "${tiny[@]}" --epochs 1 --out "$work/pipe" --resume none 2>"$work/output"
      echo $? >"$work/status" ) | true
    is "$(cat "$work/status")" 1 && [[ -s $work/pipe/predictions.png ]]
}
check 'SIGPIPE that was ignored stays so' ignored
limited() {  # SIGXFSZ
    ( ulimit -f 100; exec "$tilegrad" train mlp "${tiny[@]}" --epochs 2 --save-every 6 --out "$work/limited" ) \
        >"$work/output" 2>&1
    is $? 1 && grep -q 'not saved: .*File too large' "$work/output" && grep -q 'after 2 epochs' "$work/output" &&
        grep -q 'not saved: last.safetensors of step 12; best.safetensors (.*; 2 checkpoints by step;' "$work/output"
}
check 'a limit of file sizes ends no training' limited
begin
kill -USR1 "$process"
for (( i = 0; i < 100; i++ )); do grep -q 'no --out' "$work/output" && break; sleep 0.1; done
kill -TERM "$process"
ends 143 'not saved, there is no --out'

: >"$work/output"
TG_BACKEND=ref "$tilegrad" train lenet --data sample --batch 2000 >"$work/output" 2>&1 &      # slow steps
process=$!
for (( i = 0; i < 100; i++ )); do grep -q ' epochs, ' "$work/output" && break; sleep 0.1; done
kill -INT "$process"
sleep 0.2
check 'the first SIGINT waits for the step' kill -0 "$process"
kill -TERM "$process"
ends 143 ' epochs, '
check 'the second signal does not wait' is "$(grep -c 'in epoch' "$work/output")" 0

# ---- saves that fail ----
begin --out "$work/signal" --save-every 3
mv "$work/signal" "$work/moved"
for (( i = 0; i < 100; i++ )); do (( $(grep -c 'not saved: ' "$work/output") > 2 )) && break; sleep 0.1; done
check 'failed saves do not end a training' kill -0 "$process"
kill -INT "$process"
ends 1 'not saved: .*last.safetensors'

full_disk() {   # room for best and last, but not for a second last
    mkdir "$work/disk" && mount -t tmpfs -o size=34m none "$work/disk" || return 77
    "$tilegrad" train mlp "${tiny[@]}" --epochs 3 --out "$work/disk" >"$work/output" 2>&1
    local status=$?
    cat "$work/output"
    (( status == 1 )) && grep -q 'not saved: .*No space left on device' "$work/output" &&
        grep -q 'not saved: last.safetensors of step 18' "$work/output" &&
        grep -q 'after 3 epochs' "$work/output" && "$tilegrad" eval "$work/disk/last.safetensors" &&
        [[ ! -e $work/disk/last.safetensors.part ]] && rm "$work/disk/best.safetensors"
}
crowded_disk() {   # full of numbered checkpoints, which make room for newer ones, best and last
    mkdir "$work/crowd" && mount -t tmpfs -o size=40m none "$work/crowd" || return 77
    "$tilegrad" train mlp "${tiny[@]}" --epochs 3 --save-every 2 --keep 3 --out "$work/crowd" >"$work/output" 2>&1
    local status=$?
    cat "$work/output"
    (( status == 0 )) && grep -q 'no space left: removed .*ckpt-00000002.safetensors' "$work/output" &&
        "$tilegrad" ckpt verify "$work"/crowd/*.safetensors &&
        same "$work/whole/best.safetensors" "$work/crowd/best.safetensors" &&
        same "$work/whole/last.safetensors" "$work/crowd/last.safetensors"
}
if unshare -rm true 2>/dev/null; then
    export -f full_disk crowded_disk same contents header_bytes
    export work tilegrad
    check 'a full disk' unshare -rm bash -c "tiny=(${tiny[*]@Q}); full_disk"
    check 'a disk full of checkpoints' unshare -rm bash -c "tiny=(${tiny[*]@Q}); crowded_disk"
else
    echo 'skipped: a full disk: no mounting here'
fi

# ---- tilegrad eval ----
expect 0 'most often taken for'                              eval "$work/whole/best.safetensors"
expect 0 'mlp, bf16'                                   eval "$work/whole/best.safetensors" --dtype bf16 --batch 7 \
                                                       --threads 1 --out "$work/eval"
check 'eval --out' is "$(files "$work/eval")" 'confusion.png predictions.png'
expect 1 "--data '.*none': .*no such folder"           eval "$work/whole/best.safetensors" --data "$work/none"
expect 1 'does not fit: .* missing'                    eval "$work/whole/best.safetensors" --model lenet
expect 1 'none: '                                      eval "$work/none"
# As written by another program: no metadata, the same tensors.
plain() {
    local header length i
    header=$(tail -c +9 "$1" | head -c "$(header_bytes "$1")" | sed -E 's/"__metadata__": ?\{[^}]*\}, ?//')
    length=${#header}
    for (( i = 0; i < 64; i += 8 )); do printf "$(printf '\\x%02x' $(( length >> i & 255 )))"; done
    printf '%s' "$header"
    tail -c +$(( 9 + $(header_bytes "$1") )) "$1"
}
plain "$work/whole/best.safetensors" >"$work/plain.safetensors"
expect 1 'no made/model\): want --model NAME'          eval "$work/plain.safetensors"
expect 1 'has 9 classes'                       eval "$work/plain.safetensors" --model mlp --classes 9 \
                                                       --data "$work/images"
expect 0 'mlp, fp32, Fashion-MNIST sample'             eval "$work/plain.safetensors" --model mlp --classes 10 --data sample
# NaN weights: no prediction is right, not even the first class.
not_numbers() {
    local size=$(stat -c %s "$work/plain.safetensors")
    cp "$work/plain.safetensors" "$work/nan.safetensors"
    for (( i = 0; i < 1024; i++ )); do printf '\0\0\300\177'; done |
        dd of="$work/nan.safetensors" bs=1 seek=$(( size - 4096 )) conv=notrunc status=none
}
not_numbers
expect 1 'test accuracy 0.00 %'                        eval "$work/nan.safetensors" --model mlp --data "$work/images"
expect 1 '40 of 40 test images have no class'          eval "$work/nan.safetensors" --model mlp --data "$work/images" \
                                                       --out "$work/eval"
accuracy() { sed -nE 's/^test accuracy ([0-9.]+) %.*/\1/p'; }
check 'eval says what train said' is "$("$tilegrad" eval "$work/whole/last.safetensors" | accuracy)" \
      "$("$tilegrad" train --out "$work/whole" --resume auto | accuracy)"

printf '%d rows, %d failures\n' "$rows" "$failures"
(( failures == 0 ))
