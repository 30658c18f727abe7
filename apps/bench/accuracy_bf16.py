#!/usr/bin/env python3
"""Trains a network in FP32 and BF16 with tilegrad, with several seeds each, and compares test accuracies.

usage: accuracy_bf16.py [options] lenet|resnet20
lenet:    all of Fashion-MNIST, 5 epochs, 5 seeds, learning rate 0.05; the means may differ by 0.3 points
resnet20: CIFAR-10 (--data-dir: its binary files), 3 epochs, 3 seeds, learning rate 0.1, random crops and flips;
          the means may differ by 1.5 points
Both: batch 128, SGD with momentum 0.9, cosine to zero; or by two standard errors, if that is more.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RECIPE = {
    "lenet": (["--data", "fashion-mnist", "--epochs", "5", "--lr", "0.05"], 5, 0.3),
    "resnet20": (["--data", "cifar10", "--epochs", "3", "--lr", "0.1", "--augment"], 3, 1.5),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("model", choices=sorted(RECIPE))
    parser.add_argument("--tilegrad", default=os.path.join(ROOT, "build", "tilegrad"))
    parser.add_argument("--data-dir", help="location of the data")
    parser.add_argument("--seeds", type=int, help="number of seeds (5, 3)")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def accuracy(options, dtype, seed):
    recipe = RECIPE[options.model][0] + ["--batch", "128", "--momentum", "0.9", "--schedule", "cosine"]
    recipe += ["--data-dir", options.data_dir] if options.data_dir else []
    with tempfile.TemporaryDirectory() as folder:
        command = [options.tilegrad, "train", options.model, "--dtype", dtype, "--seed", str(seed), "--out", folder]
        subprocess.run(command + recipe + ["--threads", str(options.threads)], check=True, stdout=sys.stderr)
        with open(os.path.join(folder, "metrics.jsonl")) as file:
            return [json.loads(line)["test_accuracy"] for line in file if "test_accuracy" in line][-1]


def main():
    options = arguments()
    seeds = options.seeds or RECIPE[options.model][1]
    rows = []
    print(f"| {options.model}, seed | FP32 | BF16 |\n|---|---|---|")
    for seed in range(1, seeds + 1):
        rows.append([accuracy(options, dtype, seed) for dtype in ("fp32", "bf16")])
        print(f"| {seed} | {rows[-1][0]:.2f} % | {rows[-1][1]:.2f} % |", flush=True)
    columns = list(zip(*rows))
    means = [statistics.mean(column) for column in columns]
    print(f"| mean | {means[0]:.2f} % | {means[1]:.2f} % |\n")
    if seeds < 2:
        return 0
    error = math.sqrt(sum(statistics.variance(column) / seeds for column in columns))
    allowed = max(RECIPE[options.model][2], 2 * error)
    difference = means[1] - means[0]
    print(f"difference {difference:+.2f} points, standard error of it {error:.2f}, allowed {allowed:.2f}")
    return abs(difference) > allowed


sys.exit(main())
