#!/usr/bin/env python3
"""Trains LeNet on all of Fashion-MNIST with PyTorch, by the recipe of accuracy.py, and prints the test accuracy.

usage: torch_accuracy.py [--data-dir DIR] [--epochs N] [--seed N] [--threads N]
"""
import argparse
import gzip
import os
import struct

import torch
from torch.nn import functional as F

from torch_models import lenet

BATCH, LR, MOMENTUM = 128, 0.05, 0.9
MEAN, DEVIATION = 0.28604059, 0.35302424


def read_idx(folder, name):
    path = os.path.join(folder, name)
    with (gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb")) as file:
        rank = struct.unpack(">HBB", file.read(4))[2]
        shape = struct.unpack(f">{rank}I", file.read(4 * rank))
        return torch.frombuffer(bytearray(file.read()), dtype=torch.uint8).reshape(shape)


def load(folder, split):
    images = read_idx(folder, split + "-images-idx3-ubyte").float().div(255).sub(MEAN).div(DEVIATION)
    return images.unsqueeze(1), read_idx(folder, split + "-labels-idx1-ubyte").long()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    images, labels = load(options.data_dir, "train")
    test_images, test_labels = load(options.data_dir, "t10k")
    net = lenet().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), LR, momentum=MOMENTUM)
    batches = (len(images) + BATCH - 1) // BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs * batches)
    for _ in range(options.epochs):
        for chosen in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(net(images[chosen]), labels[chosen]).backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        batches = zip(test_images.split(500), test_labels.split(500))
        right = sum((net(x).argmax(1) == y).sum().item() for x, y in batches)
    print(f"test accuracy {100 * right / len(test_labels):.2f} %")


main()
