#!/usr/bin/env bash
# Tests how the `tilegrad` command adapts to its environment: variables, processors, launchers, limits.
# usage: test_process.sh TILEGRAD
set -u
tilegrad=$1
work=$(mktemp -d)
touch "$work/file"
trap 'rm -rf "$work"' EXIT
failures=0
unset OMP_NUM_THREADS OMP_PROC_BIND OMP_PLACES GOMP_CPU_AFFINITY
for name in "${!OMPI_@}" "${!PMI_@}" "${!SLURM_@}" "${!TG_@}" WORLD_SIZE RANK; do unset "$name"; done

# expect NAME STATUS TEXT COMMAND...: the command exits with STATUS, and its output matches the pattern TEXT (!PATTERN: does
# not match).
expect() {
    local name=$1 want=$2 text=$3 output status found=0
    shift 3
    output=$("$@" 2>&1 </dev/null)
    status=$?
    grep -qE -- "${text#!}" <<<"$output" && found=1
    [[ $text == !* ]] && found=$((1 - found))
    if (( status == want && found )); then
        printf 'ok    %s\n' "$name"
    else
        printf 'FAIL  %s: status %d, want %d and "%s" in:\n%s\n' "$name" "$status" "$want" "$text" "$output"
        (( failures++ ))
    fi
}
bench=("$tilegrad" bench lenet --batch 2 --steps 2 --infer)
train=("$tilegrad" train mlp --data sample --epochs 1 --batch 500)

# ---- variables ----
expect 'a value of TG_BACKEND'       2 'TG_BACKEND=vectr .*want a list of ref,vector,'   env TG_BACKEND=vectr "${bench[@]}"
expect 'one of a list'               2 'TG_BACKEND=ref,vectr .*want'                     env TG_BACKEND=ref,vectr "${bench[@]}"
expect 'a value of TG_MAX_ISA'       2 'TG_MAX_ISA=avx3 .*want one of generic,avx2'      env TG_MAX_ISA=avx3 "$tilegrad" info
expect 'a switch'                    2 'TG_FUSE=off .*want one of 0,1'                   env TG_FUSE=off "${bench[@]}"
expect 'TG_VERBOSE'                  2 'TG_VERBOSE=yes .*want a list of 0,1,dispatch,rewrite,graph'    env TG_VERBOSE=yes "${bench[@]}"
expect 'in all commands'             2 'TG_EAGER=true'                                   env TG_EAGER=true "$tilegrad" ckpt list
expect 'not in --help'               0 '!TG_MAX_ISA'                                     env TG_MAX_ISA=avx3 "$tilegrad" --help
expect 'an empty value'              0 '!environment'                                    env TG_BACKEND= TG_MAX_ISA= "${bench[@]}"
expect 'right values'                0 '!environment'                                    env TG_BACKEND=ref,vector TG_FUSE=0 "${bench[@]}"
expect 'a letter missing'            0 'warning: TG_BACKND .*TG_BACKEND is'              env TG_BACKND=ref "${bench[@]}"
expect 'a letter too many'           0 'warning: TG_MAX_ISAS .*TG_MAX_ISA is'            env TG_MAX_ISAS=avx2 "${bench[@]}"
expect 'letters exchanged'           0 'warning: TG_WINORGAD .*TG_WINOGRAD is'           env TG_WINORGAD=0 "${bench[@]}"
expect "somebody else's variable"    0 '!warning'                                        env TG_LOG_LEVEL=debug "${bench[@]}"

# ---- processors ----
count=$("$tilegrad" info | sed -nE 's/^threads +[0-9]+ of ([0-9]+) .*/\1/p')       # processors, or the CPU quota
for binding in OMP_PROC_BIND=close OMP_PROC_BIND=true OMP_PLACES=cores OMP_PLACES=threads GOMP_CPU_AFFINITY=0-1023; do
    expect "$binding"                0 "threads +$count of $count "                      env "$binding" "$tilegrad" info
done
expect 'taskset'                     0 'threads +1 of 1 '                                taskset -c "$(taskset -cp $$ | grep -oE '[0-9]+$')" "$tilegrad" info
expect '--threads 1000'              0 "threads 1000: only $count"       "${bench[@]}" --threads 1000
expect 'so many are used'            0 " t$count: "                                      "${bench[@]}" --threads 1000
expect 'OMP_NUM_THREADS=1000'        0 "OMP_NUM_THREADS=1000: only"      env OMP_NUM_THREADS=1000 "${bench[@]}"
expect 'OMP_NUM_THREADS=1'           0 ' t1: '                                           env OMP_NUM_THREADS=1 "${bench[@]}"

# ---- launchers ----
expect 'alone'                       0 '!rank'                                           "${bench[@]}"
expect 'a rank of Open MPI'          0 'rank 1 of 4 started by Open MPI'               env OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=1 "${bench[@]}"
expect 'a rank of MPICH'             0 'rank 0 of 2 started by MPI'                    env PMI_SIZE=2 PMI_RANK=0 "${bench[@]}"
expect 'a task of srun'              0 'rank 2 of 3 started by Slurm'                  env SLURM_STEP_NUM_TASKS=3 SLURM_PROCID=2 "${bench[@]}"
expect 'only the number of the job'  0 'rank 2 of 3 started by Slurm'                  env SLURM_NTASKS=3 SLURM_PROCID=2 "${bench[@]}"
expect 'a batch script of Slurm'     0 '!rank'                                           env SLURM_NTASKS=3 SLURM_PROCID=0 "${bench[@]}"
expect 'one rank'                    0 '!rank'                                           env PMI_SIZE=1 PMI_RANK=0 "${bench[@]}"
for rank in 0 1; do
    expect "rank $rank in the same folder" 1 "--out .*/run: this is rank $rank of 2 .*--out .*/run-$rank" \
           env PMI_SIZE=2 PMI_RANK=$rank "${train[@]}" --out "$work/run"
done
expect 'nothing was made'            0 '!run'                                            ls "$work"
expect 'a folder of its own'         0 'rank 1 of 2'                                     env PMI_SIZE=2 PMI_RANK=1 "${train[@]}" --out "$work/run-1"
expect 'without a folder'            0 'rank 1 of 2'                                     env PMI_SIZE=2 PMI_RANK=1 "${train[@]}"

# ---- a small address space; AddressSanitizer needs more ----
if [[ ${SANITIZE:-} != *address* && ${SANITIZE:-} != *thread* ]]; then
    for room in 150 300 500; do
        expect "--help with $room MiB"   0 'Examples'                                    bash -c 'ulimit -v $((1024 * '$room')); exec "$0" --help' "$tilegrad"
        expect "info with $room MiB"     0 'backends'                                    bash -c 'ulimit -v $((1024 * '$room')); exec "$0" info' "$tilegrad"
        expect "bench with $room MiB"    0 'img/s'                                       bash -c 'ulimit -v $((1024 * '$room')); exec "$0" bench lenet --batch 2 --steps 2' "$tilegrad"
        for backend in onednn openblas; do
            grep -q "$backend .*not in this build" <<<"$("$tilegrad" info)" && continue
            expect "$backend with $room MiB" 1 "the backend $backend was asked for .*cannot be used: .*lib.*ulimit -v" \
                   env TG_BACKEND=$backend bash -c 'ulimit -v $((1024 * '$room')); exec "$0" bench lenet --batch 2 --steps 2' "$tilegrad"
        done
        expect "ckpt with $room MiB"     1 'nowhere'                                     bash -c 'ulimit -v $((1024 * '$room')); exec "$0" ckpt inspect nowhere' "$tilegrad"
    done
fi

# ---- libraries that are not needed ----
lenet=("$tilegrad" train lenet --data sample --epochs 1 --batch 500)
expect 'train loads no library'      0 '!libdnnl|libopenblas'                            env LD_DEBUG=files "${lenet[@]}" --out "$work/own"
expect 'so its file has no version'  0 '!oneDNN|OpenBLAS'                                "$tilegrad" ckpt meta list "$work/own/last.safetensors"
if ! grep -q 'onednn .*not in this build' <<<"$("$tilegrad" info)"; then
    expect 'train loads oneDNN'      0 'libdnnl'                                         env LD_DEBUG=files TG_BACKEND=ref,vector,onednn "${lenet[@]}" --out "$work/theirs"
    expect 'its file has the version' 0 'ref,vector,onednn; oneDNN [0-9.]+ '             "$tilegrad" ckpt meta list "$work/theirs/last.safetensors"
    expect 'a version to compare'    0 'libdnnl'                                         env LD_DEBUG=files "${lenet[@]}" --resume "$work/theirs/last.safetensors" --epochs 2
fi

(( failures == 0 )) && echo 'all passed'
exit $(( failures > 0 ))
