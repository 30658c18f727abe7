#!/usr/bin/env python3
"""Trains LeNet on all of Fashion-MNIST with tilegrad and PyTorch, with several seeds each, and compares accuracies.

The recipe: 5 epochs, batch 128, SGD with learning rate 0.05 and momentum 0.9, cosine to zero, no augmentation.
usage: accuracy.py [options] PYTHON       PYTHON: an interpreter that has PyTorch, e.g. /usr/bin/python3
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
RECIPE = ["--batch", "128", "--optimizer", "sgd", "--lr", "0.05", "--momentum", "0.9", "--schedule", "cosine"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("python", metavar="PYTHON")
    parser.add_argument("--tilegrad", default=os.path.join(ROOT, "build", "tilegrad"))
    parser.add_argument("--data-dir", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def common(options, seed):
    return ["--data-dir", options.data_dir, "--epochs", str(options.epochs), "--seed", str(seed),
            "--threads", str(options.threads)]


def ours(options, seed):
    with tempfile.TemporaryDirectory() as folder:
        command = [options.tilegrad, "train", "lenet", "--data", "fashion-mnist", "--out", folder]
        subprocess.run(command + RECIPE + common(options, seed), check=True, stdout=sys.stderr)
        with open(os.path.join(folder, "metrics.jsonl")) as file:
            return [json.loads(line)["test_accuracy"] for line in file if "test_accuracy" in line][-1]


def peers(options, seed):
    bound = {"OMP_PROC_BIND": "close", "OMP_PLACES": "cores"}
    command = [options.python, os.path.join(HERE, "torch_accuracy.py")] + common(options, seed)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=dict(bound, **os.environ))
    return float(done.stdout.split()[-2])


def main():
    options = arguments()
    rows = []
    print("| seed | tilegrad | PyTorch |\n|---|---|---|")
    for seed in options.seeds:
        rows.append((ours(options, seed), peers(options, seed)))
        print(f"| {seed} | {rows[-1][0]:.2f} % | {rows[-1][1]:.2f} % |", flush=True)
    columns = list(zip(*rows))
    means = [statistics.mean(column) for column in columns]
    print(f"| mean | {means[0]:.2f} % | {means[1]:.2f} % |\n")
    if len(rows) > 1:
        error = math.sqrt(sum(statistics.variance(column) / len(rows) for column in columns))
        print(f"difference {means[0] - means[1]:+.2f} points, standard error of the difference {error:.2f}")


main()
