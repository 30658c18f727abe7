#!/usr/bin/env python3
"""Batch sizes: compares the kernels that tilegrad chooses with its alternatives, and reports time per image by batch size.

usage: batches.py [options] MODEL...
For each batch size the default alternates with no Winograd (TG_WINOGRAD=0), our kernels only (TG_BACKEND=ref,vector,brgemm)
and libraries first (TG_BACKEND=ref,vector,openblas,onednn).  The table lists img/s of the best step, median of the rounds (the
best, as neighbours only slow down); `of best` is the default's ratio to the fastest (target: 0.97), `growth` the time per image
relative to the least of all smaller batches (limit: 1.03).  Exit status: 0, or 1 if a value is outside these bounds.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHOICES = {"default": {}, "no Winograd": {"TG_WINOGRAD": "0"}, "own": {"TG_BACKEND": "ref,vector,brgemm"},
           "libraries": {"TG_BACKEND": "ref,vector,openblas,onednn"}}
SPEED = re.compile(r": ([\d.]+) img/s median, ([\d.]+) best")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--tilegrad", default=os.path.join(ROOT, "build", "tilegrad"))
    parser.add_argument("--batches", type=lambda text: [int(n) for n in text.split(",")], metavar="N,N,...",
                        default=[1, 2, 4, 8, 16, 32, 64, 128, 256], help="1,2,4,...,256 unless given")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each choice (3)")
    parser.add_argument("--images", type=int, default=256, help="images per round, in 3 to 100 steps (256)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--infer", action="store_true")
    return parser.parse_args()


def speed(options, model, batch, choice):
    steps = min(100, max(3, options.images // batch))
    command = [options.tilegrad, "bench", model, "--batch", str(batch), "--steps", str(steps), "--dtype", options.dtype,
               "--threads", str(options.threads)] + ["--infer"] * options.infer
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, **CHOICES[choice]))
    found = SPEED.search(done.stdout)
    if done.returncode or not found:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    return float(found[2])


def row(options, model, batch, before):
    turns = [[speed(options, model, batch, choice) for choice in CHOICES] for _ in range(options.rounds)]
    speeds = [statistics.median(turn) for turn in zip(*turns)]
    share, growth = speeds[0] / max(speeds), max(before, default=0) / speeds[0]
    cells = [f"{s:.1f}" for s in speeds] + [f"{share:.2f}", f"{growth:.2f}" if before else "-"]
    title = f"{'infer' if options.infer else 'train'} {model} {options.dtype} t{options.threads} b{batch}"
    print("| " + " | ".join([title, *cells]) + " |", flush=True)
    return speeds[0], share >= 0.97 and growth <= 1.03


def main():
    options = arguments()
    print("| | " + " | ".join(CHOICES) + " | of best | growth |\n|---|" + "---|" * (len(CHOICES) + 2))
    good = True
    for model in options.models:
        before = []
        for batch in options.batches:
            own, within = row(options, model, batch, before)
            before.append(own)
            good = good and within
    sys.exit(0 if good else 1)


main()
