#!/usr/bin/env bash
# Tests the `tilegrad` command as users run it: exit codes, messages, one epoch that learns, an interrupt.
# usage: test_command.sh TILEGRAD
set -u
tilegrad=$1
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0 rows=0
touch "$work/file"
mkdir "$work/empty"

# expect STATUS TEXT ARGUMENT...: the command exits with STATUS, and its output matches the pattern TEXT.
expect() {
    local want=$1 text=$2 output status
    shift 2
    output=$("$tilegrad" "$@" 2>&1 </dev/null)
    status=$?
    (( rows++ ))
    if (( status == want )) && grep -qE -- "$text" <<<"$output"; then
        printf 'ok    %s\n' "$*"
    else
        printf 'FAIL  %s: status %d, want %d and "%s" in:\n%s\n' "$*" "$status" "$want" "$text" "$output"
        (( failures++ ))
    fi
}

# ---- help and usage ----
expect 0 'Examples:'                 --help
expect 0 '^tilegrad [0-9]+\.[0-9]+'  --version
expect 0 'Examples:'                 train --help
expect 0 'Examples:'                 eval --help
expect 0 'Examples:'                 bench --help
expect 0 'Examples:'                 info --help
expect 0 'Examples:'                 kernels --help
expect 2 'no command'
expect 2 "unknown command 'walk'"    walk
expect 2 'unrecognized option'       --frobnicate
expect 2 'no model'                  train
expect 2 "unknown model 'lenin'"     train lenin
expect 2 'lenet, mlp'                train lenin
expect 2 'too many arguments'        train lenet mlp
expect 2 'unrecognized option'       train lenet --frobnicate
expect 2 'requires an argument'      train lenet --epochs
expect 2 'no model'                  bench
expect 2 "unknown model 'lenin'"     bench lenin
expect 2 'too many arguments'        info twice
expect 2 "no operator 'conv9d'"      kernels conv9d

# ---- the examples of --help work, and completion covers every option ----
# options COMMAND...: the long options in its --help; completed WORD...: the completions of the last word.
options() { "$tilegrad" "$@" --help | grep -oE '^ +(-., )?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+'; }
completed() (
    tilegrad() { "$program" "$@"; }
    complete() { :; }
    program=$tilegrad
    . "$here/../../packaging/tilegrad.bash"
    COMP_WORDS=(tilegrad "$@") COMP_CWORD=$#
    _tilegrad
    printf '%s\n' "${COMPREPLY[@]}"
)
while read -ra command; do
    (( rows++ ))
    wrapped=$("$tilegrad" "${command[@]}" --help | sed -n '/^Examples:/,/^$/p' | grep -vE '^(  |Examples:|$)')
    missing=$(grep -vxFf <(completed "${command[@]}" --) <(options "${command[@]}" | grep -v -- --version))
    if [[ $wrapped$missing ]]; then
        printf 'FAIL  %s: wrapped in --help: "%s", not completed: "%s"\n' "${command[*]}" "$wrapped" "$missing"
        (( failures++ ))
    fi
done < <(for name in train eval bench info kernels 'ckpt '{inspect,verify,diff,convert,average,strip,rename,meta}; do
             echo "$name"; done)
for list in 'networks lenet mlp resnet20 resnet18c resnet50' 'datasets sample fashion-mnist cifar10 cifar100' \
            'optimizers sgd adam adamw' 'commands train eval bench ckpt info kernels'; do
    (( rows++ ))
    read -ra names <<<"$list"
    [[ $("$tilegrad" --list "${names[0]}" | tr '\n' ' ') == "${list#* } " ]] || { echo "FAIL  --list $list"; (( failures++ )); }
done
(( rows++ ))
for name in train:lenet bench:resnet50 train:--data:cifar100 bench:--optimizer:adamw eval:--model:mlp; do
    IFS=: read -ra command <<<"$name"
    completed "${command[@]:0:${#command[@]}-1}" '' | grep -qx "${command[-1]}" || { echo "FAIL  $name is not completed"; (( failures++ )); }
done
# Of each operator's kernels one runs, and each of the others is explained.
(( rows++ ))
kernels=$("$tilegrad" kernels conv2d)
[[ $(sed -n '/^  /{/^    /!p}' <<<"$kernels" | wc -l) -gt 0 && $(grep -c 'comes before.* ref$' <<<"$kernels") == $(grep -c '^  [a-z]' <<<"$kernels") ]] ||
    { echo "FAIL  tilegrad kernels conv2d leaves kernels out"; (( failures++ )); }
for words in 'train eval bench ckpt info kernels' 'ckpt inspect verify diff convert average strip rename meta'; do
    read -ra command <<<"$words"
    [[ ${command[0]} == ckpt ]] && prefix=(ckpt) || prefix=()
    (( rows++ ))
    for name in "${command[@]:${#prefix[@]}}"; do
        completed "${prefix[@]}" '' | grep -qx "$name" || { echo "FAIL  $name is not completed"; (( failures++ )); }
    done
done

# ---- values ----
for value in 0 -1 1.5 '' many 99999999999999999999; do
    expect 2 "--epochs '$value': want a whole number"  train lenet "--epochs=$value"
    expect 2 "--batch '$value': want a whole number"   train lenet "--batch=$value"
    expect 2 "--threads '$value': want a whole number" train lenet "--threads=$value"
    expect 2 "--threads '$value': want a whole number" bench lenet "--threads=$value"
    expect 2 "--steps '$value': want a whole number"   bench lenet "--steps=$value"
done
for value in nan inf -1 '' fast; do
    expect 2 "--lr '$value': want a number"            train lenet "--lr=$value"
done
expect 0 'lr 0 cosine'                                train mlp --data sample --lr 0 --epochs 1
expect 2 "--seed '-1': want a whole number"            train lenet --seed=-1
expect 2 "--momentum '1': want a number"               train lenet --momentum 1
expect 2 "--weight-decay 'nan': want a number"         train lenet --weight-decay nan
expect 2 "--warmup '-5': want a whole number"          train lenet --warmup=-5
expect 2 "--optimizer 'sdg': want sgd, adam or adamw"  train lenet --optimizer sdg
expect 2 "--schedule 'linear': want constant"          train lenet --schedule linear
expect 2 "--optimizer 'sdg': want sgd, adam or adamw"  bench lenet --optimizer sdg
expect 2 '--steps 101: want at most 100'               bench --ops=relu --steps 101
expect 2 '--steps 101: want at most 100'               bench --layers lenet --steps 101
expect 2 "--dtype 'fp16': want fp32 or bf16"           bench lenet --dtype fp16

# ---- data and results that are missing or don't fit ----
expect 1 "--data '.*/none': .*no such folder"          train lenet --data "$work/none"
expect 1 "$work/empty"                                 train lenet --data "$work/empty"
expect 1 "$work/none"                                  train lenet --data fashion-mnist --data-dir "$work/none"
expect 1 "$work/none"                                  train resnet20 --data-dir "$work/none"
expect 1 'channels, want 3'                train resnet20 --data sample
expect 1 "--out $work/file: .*Not a directory"         train lenet --data sample --out "$work/file"
expect 1 "--out $work/file/x: .*Not a directory"       train lenet --data sample --out "$work/file/x"
expect 1 '--out /proc/none'                            train lenet --data sample --out /proc/none
expect 1 'the loss is not a finite number'             train lenet --data sample --lr 1e6 --momentum 0 --epochs 2

# ---- what works ----
expect 0 'AMX'                                         info
expect 0 'conv2d'                                      kernels
expect 0 'ref'                                         kernels relu
expect 0 '^conv2d$'                                    kernels --list
expect 0 '^tilegrad [0-9.]+ lenet b8 fp32 train t1: [0-9.]+ img/s median, [0-9.]+ best, rss [0-9]+ MiB$' \
         bench lenet --batch 8 --steps 2 --threads 1
expect 0 '^tilegrad [0-9.]+ lenet b8 (bf16) train t1: ' \
         bench lenet --dtype bf16 --batch 8 --steps 2 --threads 1
expect 0 '^tilegrad [0-9.]+ mlp b8 fp32 infer t1: ' \
         bench mlp --batch 8 --steps 2 --threads 1 --infer
expect 0 '^save +[0-9]+ ms .* written with fsync: .*x as long; memory \+[0-9]+ MiB$' \
         bench mlp --batch 8 --steps 1 --optimizer adam --checkpoint "$work/empty"
(( rows++ ))
[[ $(echo "$work"/empty/*) == "$work/empty/*" ]] || { echo 'FAIL  bench --checkpoint leaves files'; (( failures++ )); }
expect 0 '^max_pixels +16x56x56x64 +fp32 +backward .* max_grad/vector_[a-z0-9]+$' bench --ops=max_pixels --steps 1
expect 2 "--ops takes no model, but got 'lenet'"       bench --ops lenet
expect 1 'none/bench.safetensors: cannot be created'   bench mlp --batch 8 --steps 1 --checkpoint "$work/none"
expect 0 'test accuracy (6[0-9]|7[0-9]|8[0-9])\.[0-9]+ % after 1 epochs' \
         train lenet --data sample --epochs 1 --batch 32 --out "$work/a/b"

for file in metrics.jsonl predictions.png; do
    (( rows++ ))
    [[ -s $work/a/b/$file ]] || { echo "FAIL  --out: no $file"; (( failures++ )); }
done

# ---- standard output ----
# unwritable WHERE ARGUMENT...: the command exits with status 1 and reports why.
unwritable() {
    local where=$1 output status
    shift
    output=$(eval '"$tilegrad" "$@" 2>&1 '"$where" </dev/null)
    status=$?
    (( rows++ ))
    if (( status != 1 )) || [[ $output != *'standard output cannot be written: '* ]]; then
        printf 'FAIL  %s %s: status %d, want 1, and "%s"\n' "$*" "$where" "$status" "$output"
        (( failures++ ))
    fi
}
train=(train mlp --data sample --batch 2000 --epochs 1)
"$tilegrad" "${train[@]}" --out "$work/one" >/dev/null
for where in '>/dev/full' '>&-'; do
    for command in --help --version info kernels 'kernels --list' 'train --help' 'bench mlp --batch 8 --steps 1' \
                   "eval $work/one/best.safetensors" "ckpt inspect $work/one/best.safetensors"; do
        unwritable "$where" $command
    done
    unwritable "$where" "${train[@]}"
done
# Files opened later don't become the output.
"$tilegrad" "${train[@]}" --out "$work/closed" >&- 2>&-
expect 0 'last.safetensors: good'                      ckpt verify "$work/closed/last.safetensors"
(( rows++ ))
output=$( (ulimit -f 0; "$tilegrad" info >"$work/limited") 2>&1 )
if (( $? != 1 )) || [[ $output != *'File too large'* ]]; then
    echo 'FAIL  output beyond ulimit -f'
    (( failures++ ))
fi

# harmless ARGUMENT...: the output contains no control sequences, bidirectional marks or invalid UTF-8.
nasty=$'n\e[31m\x9b2J\xc2\x9b2J\xe2\x80\x8f\xe2\x80\xae\xff'
harmless() {
    local output
    output=$("$tilegrad" "$@" 2>&1 </dev/null | tr -d '\n' | LC_ALL=C tr '\0\33\233\377' '####')
    (( rows++ ))
    if [[ $output == *'#'* || $output == *$'\xe2\x80\x8f'* || $output == *$'\xe2\x80\xae'* || $output == *$'\xc2\x9b'* ]]; then
        printf 'FAIL  %q: not escaped in what it prints: %q\n' "$*" "$output"
        (( failures++ ))
    fi
}
ln -s "$(realpath "$here/../../datasets/sample")" "$work/$nasty"
for command in "$nasty" "train $nasty" "train --$nasty" "bench $nasty" "kernels $nasty" "eval $nasty" "ckpt $nasty" \
               "ckpt inspect $nasty" "ckpt inspect --$nasty" "ckpt diff $nasty $nasty" "ckpt average $nasty $nasty x" \
               "info $nasty" "train lenet --data $nasty" "train lenet --data-dir $nasty --data sample" \
               "train lenet --out $work/file/$nasty" "train --resume $nasty" "bench mlp --batch 8 --checkpoint $nasty" \
               "train mlp --data $work/$nasty --batch 2000 --epochs 1 --out $work/out$nasty" \
               "train --resume $work/out$nasty/last.safetensors --data $work/$nasty" \
               "train mlp --data sample --out $work/out$nasty" "train --out $work/out$nasty --resume auto" \
               "eval $work/out$nasty/best.safetensors" "eval $work/out$nasty/best.safetensors --data $work/$nasty" \
               "ckpt inspect $work/out$nasty/best.safetensors" "ckpt inspect --json $work/out$nasty/best.safetensors" \
               "ckpt verify $work/out$nasty/best.safetensors" "ckpt meta set $work/out$nasty/best.safetensors note x" \
               "ckpt diff $work/out$nasty/best.safetensors $work/out$nasty/last.safetensors" \
               "ckpt convert $work/out$nasty/best.safetensors $work/$nasty.npz"; do
    IFS=' ' read -rd '' -a words <<<"$command"
    words[-1]=${words[-1]%$'\n'}
    harmless "${words[@]}"
done
TG_NONE=$nasty harmless info
expect 0 'u001b'                                       ckpt verify "$work/out$nasty/best.safetensors"

# ---- a last batch of one image, where batch norm has no variance on 1x1 planes ----
mkdir "$work/cifar"
for name in data_batch_{1..5} test_batch; do
    { printf '\1'; zcat "$here/../../datasets/sample/train-images-idx3-ubyte.gz" | tail -c +17 | head -c 3072; } \
        >"$work/cifar/$name.bin"
done
fives=(--data "$work/cifar" --lr 0.0001 --epochs 1)
expect 0 'one image is left out of each epoch.*' train resnet50 "${fives[@]}" --batch 4
expect 1 'resnet50: batch norm needs at least two .* --batch 2 or more' train resnet50 "${fives[@]}" --batch 1
expect 0 'after 1 epochs'                              train resnet20 "${fives[@]}" --batch 1
(( rows++ ))
"$tilegrad" train resnet20 "${fives[@]}" --batch 4 | grep -q 'left out' && { echo 'FAIL  left out without need'; (( failures++ )); }

# ---- CIFAR-100 by its name ----
mkdir "$work/cifar100"
for name in train test; do
    { printf '\1\2'; head -c 3072 "$work/cifar/test_batch.bin"; printf '\3\4'; head -c 3072 "$work/cifar/test_batch.bin"; } \
        >"$work/cifar100/$name.bin"
done
expect 0 'CIFAR-100' train resnet20 --data cifar100 --data-dir "$work/cifar100" --epochs 1 --batch 2 --lr 0

# ---- an interrupt: the step ends, and the program reports it ----
(( rows++ ))
"$tilegrad" train lenet --data sample --epochs 1000 >"$work/output" 2>&1 &
process=$!
for (( i = 0; i < 300; i++ )); do
    grep -q '^epoch 1/' "$work/output" && break
    sleep 0.1
done
kill -INT "$process"
wait "$process"
status=$?
if (( status != 130 )) || ! grep -q 'interrupted in epoch' "$work/output"; then
    printf 'FAIL  interrupt: status %d, want 130, output:\n%s\n' "$status" "$(cat "$work/output")"
    (( failures++ ))
fi

printf '%d rows, %d failures\n' "$rows" "$failures"
(( failures == 0 ))
