#!/usr/bin/env bash
# A training run that is stopped at random moments (SIGKILL, SIGTERM, SIGINT; in steps, tests and saves) and resumed with
# --resume auto until it is done ends with the same bits as an uninterrupted one.
# usage: soak_resume.sh TILEGRAD [STOPS [SEED]]       20 stops; the seed defaults to the time
set -u
tilegrad=$1 stops=${2:-20} seed=${3:-$RANDOM}
. "$(dirname "$0")/train_tools.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make_images "$work/images" 96 40
export TG_BACKEND=ref,vector,brgemm          # their bits don't depend on the number of threads
RANDOM=$seed
echo "soak_resume: $stops stops, seed $seed"

train() {
    "$tilegrad" train mlp --data "$work/images" --batch 16 --epochs 40 --augment --optimizer adam --dtype "$dtype" "$@"
}

# Runs until a random moment; status 0 once training is done.
run_and_stop() {
    local signals=(KILL KILL TERM INT) process
    train --threads $((1 + RANDOM % 2)) --out "$work/stopped" --resume auto --save-every 3 --keep 2 \
        >>"$work/output" 2>&1 &
    process=$!
    sleep "$((RANDOM % 2)).$((100 + RANDOM % 900))"
    kill "-${signals[RANDOM % 4]}" "$process" 2>/dev/null
    wait "$process" 2>/dev/null
}

fail() {
    printf 'FAIL  %s (seed %s)\n' "$1" "$seed"
    tail -20 "$work/output"
    exit 1
}

done_stops=0 trainings=0
while (( done_stops < stops )); do
    dtype=$([[ $((RANDOM % 2)) == 0 ]] && echo fp32 || echo bf16)
    rm -rf "$work/whole" "$work/stopped"
    : >"$work/output"
    train --out "$work/whole" >/dev/null || fail "the training that is left alone"
    while ! run_and_stop; do
        (( done_stops++ ))
        grep -q 'starts anew' "$work/output" || fail "did not say how it begins"
        grep -qE 'passed over|not saved|failed' "$work/output" && fail "a stop damaged a file"
    done
    (( trainings++ ))
    for file in last best; do
        same "$work/whole/$file.safetensors" "$work/stopped/$file.safetensors" || fail "$file.safetensors differs"
    done
    diff <(lines "$work/whole") <(lines "$work/stopped") || fail "metrics.jsonl differs"
    compgen -G "$work/stopped/*.part" >/dev/null && fail "something is left of a save"
done
printf '%d trainings with %d stops in all: the same bits\n' "$trainings" "$done_stops"
