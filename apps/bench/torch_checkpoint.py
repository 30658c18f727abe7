#!/usr/bin/env python3
"""Times saving and loading a ResNet-50 and its Adam state in PyTorch: torch.save and torch.load, and the safetensors package
if it is installed (it saves without fsync: one is added).  The peer of `tilegrad bench resnet50 --optimizer adam
--checkpoint DIR`.

usage: torch_checkpoint.py DIR [ROUNDS]
"""
import os
import statistics
import sys
import time

import torch

from torch_models import resnet50

try:
    from safetensors.torch import load_file, save_file
except ImportError:
    load_file = save_file = None


def state():
    net = resnet50()
    opt = torch.optim.Adam(net.parameters(), 1e-3)
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    opt.step()
    return {"model": net.state_dict(), "optimizer": opt.state_dict()}


def flat(both):
    tensors = {f"model.{name}": t for name, t in both["model"].items()}
    for i, of_param in both["optimizer"]["state"].items():
        tensors.update({f"optim.{key}.{i}": t for key, t in of_param.items()})
    return tensors


def last(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def forget(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def timed(run):
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def own(tensors):
    """A mapped file is only read when its tensors are used: copy them, like torch.load and tilegrad."""
    return {name: t.clone() for name, t in tensors.items()}


def load_pt(path):
    """PyTorch 1.13's restricted unpickler can't read the optimizer's floats; the file is our own."""
    return torch.load(path, weights_only=not torch.__version__.startswith("1."))


def main():
    folder, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8
    both, path = state(), os.path.join(folder, "bench.torch")
    ways = {"torch": (lambda: torch.save(both, path), lambda: load_pt(path))}
    if save_file:
        ways["safetensors"] = (lambda: save_file(flat(both), path), lambda: own(load_file(path)))
    for name, (save, load) in ways.items():
        took = {"save": [], "load": []}
        for _ in range(rounds):
            took["save"].append(timed(lambda: (save(), last(path))))
            forget(path)
            took["load"].append(timed(load))
        print(f"{name} {torch.__version__}: a file of {os.path.getsize(path) / 1e6:.0f} MB, median of {rounds}: "
              + ", ".join(f"{what} {1e3 * statistics.median(t):.0f} ms" for what, t in took.items()))
    os.unlink(path)


if __name__ == "__main__":
    main()
