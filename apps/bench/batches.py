#!/usr/bin/env python3
"""Batch sizes: what `tilegrad bench` chooses beside its other choices, and time per image as the batch grows.

usage: batches.py [options] MODEL...
For each batch the default runs in turn with no Winograd (TG_WINOGRAD=0), own kernels alone (TG_BACKEND=ref,vector,brgemm)
and libraries first (TG_BACKEND=ref,vector,openblas,onednn).  The table says img/s of the best step, the median of the turns
(neighbours only slow down); `of best` is the default beside the fastest of all (0.97 is wanted), `growth` time per image
beside the least of all smaller batches (it should not exceed 1.03).  Exit status: 0, or 1 if a number is beyond these bounds.
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
    parser.add_argument("--rounds", type=int, default=3, help="turns of each choice (3)")
    parser.add_argument("--images", type=int, default=256, help="images of a turn, in 3 to 100 steps (256)")
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
