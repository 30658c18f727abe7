# bash completion for tilegrad

_tilegrad_ckpt() {
    local command=${COMP_WORDS[2]} words="--help --usage"
    if (( COMP_CWORD == 2 )); then
        COMPREPLY=($(compgen -W "inspect verify diff convert average strip rename meta $words" -- "$current"))
        return
    fi
    if [[ $command == meta ]] && (( COMP_CWORD == 3 )); then
        COMPREPLY=($(compgen -W "get set list $words" -- "$current"))
        return
    fi
    case $command:$previous in
    convert:--v2) COMPREPLY=($(compgen -W "bf16 f16" -- "$current")); return ;;
    convert:--dtype) COMPREPLY=($(compgen -W "f32 bf16 f16" -- "$current")); return ;;
    rename:--map)    COMPREPLY=($(compgen -f -- "$current")); return ;;
    meta:*)          # a key of the file
        if (( COMP_CWORD == 5 )) && [[ ${COMP_WORDS[3]} != list ]]; then
            local IFS=$'\n'
            COMPREPLY=($(compgen -W "$(tilegrad ckpt meta list "${COMP_WORDS[4]}" 2>/dev/null | sed 's/ = .*//')" -- "$current"))
            return
        fi ;;
    esac
    case $command in
    inspect) words+=" --stats --json" ;;
    convert) words+=" --dtype --v2" ;;
    rename)  words+=" --map" ;;
    esac
    if [[ $current == -* ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    else
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -d -- "$current") $(compgen -f -X '!*.safetensors' -- "$current")
                   $(compgen -f -X '!*.np[yz]' -- "$current"))
    fi
}

_tilegrad_list() { tilegrad --list "$1" 2>/dev/null; }      # networks, datasets, optimizers, commands

_tilegrad() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}
    local words=
    COMPREPLY=()
    if (( COMP_CWORD == 1 )); then
        COMPREPLY=($(compgen -W "$(_tilegrad_list commands) --help --usage --version" -- "$current"))
        return
    fi
    if [[ $command == ckpt ]]; then
        _tilegrad_ckpt
        return
    fi
    case $command:$previous in
    *:--data)                COMPREPLY=($(compgen -W "$(_tilegrad_list datasets)" -- "$current")
                                        $(compgen -d -- "$current")); return ;;
    *:--data-dir|*:--out|bench:--checkpoint) COMPREPLY=($(compgen -d -- "$current")); return ;;
    train:--resume)          COMPREPLY=($(compgen -W "auto none" -- "$current") $(compgen -d -- "$current")
                                        $(compgen -f -X '!*.safetensors' -- "$current")); return ;;
    *:--optimizer)           words=$(_tilegrad_list optimizers) ;;
    train:--schedule)        words="constant step cosine one-cycle" ;;
    *:--dtype)               words="fp32 bf16" ;;
    eval:--model)            words=$(_tilegrad_list networks) ;;
    *:--threads)             words=$(seq "$(nproc)") ;;
    *:--epochs|*:--batch|*:--lr|*:--momentum|*:--weight-decay|*:--warmup|*:--seed|*:--steps) return ;;
    *:--save-every|*:--save-minutes|*:--keep|*:--classes) return ;;
    train:*) words="$(_tilegrad_list networks) --data --data-dir --augment --epochs --batch --dtype --report --optimizer --lr --momentum
                    --weight-decay --schedule --warmup --seed --threads --out --save-every --save-minutes --keep
                    --resume --help --usage" ;;
    eval:*)  words="--data --data-dir --batch --dtype --threads --out --model --classes --help --usage"
             COMPREPLY=($(compgen -f -X '!*.safetensors' -- "$current") $(compgen -d -- "$current")) ;;
    bench:*) words="$(_tilegrad_list networks) simplenet --layers --ops --checkpoint --batch --dtype --steps --threads --infer --optimizer
                    --help --usage" ;;
    kernels:*) words="$(tilegrad kernels --list 2>/dev/null) --list --help --usage" ;;
    *)       words="--help --usage" ;;
    esac
    COMPREPLY+=($(compgen -W "$words" -- "$current"))
}
complete -F _tilegrad tilegrad
