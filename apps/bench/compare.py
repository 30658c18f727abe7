#!/usr/bin/env python3
"""Runs `tilegrad bench` and PyTorch alternately (A B A B ...) and prints a table of speeds, memory and ratios.

usage: compare.py [options] PEER...
A PEER is a Python interpreter with PyTorch; a suffix +ipex or +compile selects these:
    compare.py /usr/bin/python3 venv/bin/python venv/bin/python+ipex
Peers run with bound threads (OMP_PROC_BIND=close OMP_PLACES=cores, unless the environment overrides it), as tilegrad binds its
own.  The table lists img/s (peak MiB); a ratio above 1 means that tilegrad is faster.  With --dtype bf16 tilegrad's BF16 is
compared with its own FP32 and with the peers in both dtypes; the ratio is to the best peer.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ROWS = ["lenet:128", "mlp:128", "resnet20:128", "resnet18c:128", "resnet50:32"]
LINE = re.compile(r"^(?P<name>\S+ \S+) \S+ b\d+ (?P<dtype>\S+) .*: (?P<median>[\d.]+) img/s median, .* rss (?P<rss>\d+) MiB$", re.M)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("peers", nargs="+", metavar="PEER")
    parser.add_argument("--tilegrad", default=os.path.join(ROOT, "build", "tilegrad"))
    parser.add_argument("--models", nargs="+", default=ROWS, metavar="MODEL:BATCH", help=" ".join(ROWS))
    parser.add_argument("--rounds", type=int, default=2, help="rounds (2)")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--infer", action="store_true")
    return parser.parse_args()


def commands(options, model, batch):
    """The command of each program, tilegrad first."""
    common = [model, "--batch", batch, "--steps", str(options.steps), "--threads", str(options.threads)]
    common += ["--infer"] if options.infer else []
    dtypes = ["bf16", "fp32"] if options.dtype == "bf16" else ["fp32"]
    for dtype in dtypes:
        yield [options.tilegrad, "bench"] + common + ["--dtype", dtype]
    for peer in options.peers:
        python, *through = peer.split("+")
        for dtype in dtypes:
            yield ([python, os.path.join(HERE, "torch_train.py")] + common + ["--dtype", dtype] +
                   ["--" + way for way in through])


def run(command):
    """(name, img/s, MiB), or None if it failed."""
    bound = {"OMP_PROC_BIND": "close", "OMP_PLACES": "cores"}
    own = command[1] == "bench"
    done = subprocess.run(command, capture_output=True, text=True, env=dict({} if own else bound, **os.environ))
    found = LINE.search(done.stdout)
    if done.returncode or not found:
        print("failed: " + " ".join(command) + "\n" + done.stderr[-2000:], file=sys.stderr)
        return None
    print(found.group(0), file=sys.stderr)
    return f"{found['name']} {found['dtype']}", float(found["median"]), int(found["rss"])


def measure(options, model, batch):
    """Each program's name, the median of its rounds, and its lowest memory peak."""
    programs = list(commands(options, model, batch))
    turns = [[run(command) for command in programs] for _ in range(options.rounds)]
    for results in zip(*turns):
        good = [result for result in results if result]
        if good:
            yield good[0][0], statistics.median(r[1] for r in good), min(r[2] for r in good)
        else:
            yield None


def machine():
    with open("/proc/cpuinfo") as file:
        text = file.read()
    name = re.search(r"model name\s*: (.*)", text)
    kind = "with AMX" if "amx_bf16" in text else "with AVX-512, without AMX" if "avx512f" in text else "without AVX-512"
    return f"{name[1] if name else 'unknown processor'}, {kind}"


def main():
    options = arguments()
    print(f"{machine()}; {options.threads} threads, {options.rounds} rounds of {options.steps} steps\n")
    for number, row in enumerate(options.models):
        model, batch = row.split(":")
        results = list(measure(options, model, batch))
        if number == 0:
            names = [result[0] if result else "?" for result in results]
            print("| | " + " | ".join(names) + " | ratio to the best | memory, ratio to the first peer |")
            print("|---|" + "---|" * (len(names) + 2))
        cells = [f"{r[1]:.1f} ({r[2]})" if r else "-" for r in results]
        first = 2 if options.dtype == "bf16" else 1             # of the peers
        own, peers = results[0], [r for r in results[first:] if r]
        ratio = f"{own[1] / max(r[1] for r in peers):.2f}" if own and peers else "-"
        memory = f"{own[2] / results[first][2]:.2f}" if own and len(results) > first and results[first] else "-"
        title = f"{'infer' if options.infer else 'train'} {model} b{batch} {options.dtype}"
        print("| " + " | ".join([title, *cells, ratio, memory]) + " |", flush=True)


main()
