# packages.sh - sourced by scripts: the Debian packages that tilegrad needs, and how to install them.

# shellcheck shell=bash disable=SC2034

build_packages=(gcc libc6-dev cmake ninja-build libdnnl-dev libopenblas-openmp-dev zlib1g-dev libpng-dev librandom123-dev
                libjansson-dev libxxhash-dev)
test_packages=(g++ libcmocka-dev pkg-config)
# Peers and tools without which some checks are skipped, with a message: NumPy, PyTorch, libFuzzer, clang-format, clang-tidy.
peer_packages=(python3-numpy python3-torch clang llvm libclang-rt-14-dev libomp-dev clang-format-14
               clang-tidy-14)

# need_packages PACKAGE...: installs missing packages with apt-get, as root or with sudo, and reports them.
need_packages() {
    local package missing=() sudo=()
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    (( ${#missing[@]} )) || return 0
    if ! command -v apt-get >/dev/null; then
        echo "No apt-get to install Debian packages with. tilegrad needs: ${missing[*]}" >&2
        return 1
    fi
    if (( EUID != 0 )); then
        command -v sudo >/dev/null || { echo "Run as root, or install sudo, to install: ${missing[*]}" >&2; return 1; }
        sudo=(sudo)
    fi
    echo "Installing Debian packages: ${missing[*]}"
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
