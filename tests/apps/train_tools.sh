# train_tools.sh - sourced by scripts that train: creates a small data set, compares checkpoints.

# idx MAGIC DIMENSION...: prints the header of an IDX file.
idx() {
    local number
    for number in "$@"; do printf "$(printf '\\x%02x' $((number >> 24 & 255)) $((number >> 16 & 255)) \
                                                   $((number >> 8 & 255)) $((number & 255)))"; done
}

# make_images FOLDER TRAIN TEST: writes the first images of the sample as an IDX folder.
make_images() {
    local folder=$1 sample part name count
    sample=$(dirname "${BASH_SOURCE[0]}")/../../datasets/sample
    mkdir -p "$folder"
    for part in "train $2" "t10k $3"; do
        read -r name count <<<"$part"
        { idx 0x803 "$count" 28 28; zcat "$sample/$name-images-idx3-ubyte.gz" | tail -c +17 | head -c $((count * 784)); } \
            >"$folder/$name-images-idx3-ubyte"
        { idx 0x801 "$count"; zcat "$sample/$name-labels-idx1-ubyte.gz" | tail -c +9 | head -c "$count"; } \
            >"$folder/$name-labels-idx1-ubyte"
    done
}

header_bytes() { od -An -tu8 -N8 "$1"; }

# contents FILE: prints the header of a safetensors file (names, offsets, checksums, numbers), except clocks and threads.
contents() {
    tail -c +9 "$1" | head -c "$(header_bytes "$1")" | tr ',' '\n' | tr -d ' ' |
        grep -vE '"(train/(seconds|epoch_began|training_seconds)|made/(date|threads)|tilegrad.header)"'
}

# same FILE FILE: the files have the same tensors and numbers.
same() {
    diff <(contents "$1") <(contents "$2") &&
        cmp <(tail -c +$(( 9 + $(header_bytes "$1") )) "$1") <(tail -c +$(( 9 + $(header_bytes "$2") )) "$2")
}

# lines FOLDER: prints metrics.jsonl, except clocks.
lines() { sed -E 's/"(images_per_second|seconds)":[^,}]*,?//g' "$1/metrics.jsonl"; }
