#!/usr/bin/env python3
"""Measures training steps or inference of PyTorch on random images in memory: the peer of `tilegrad bench`.

Prints a line of the same form: torch VERSION MODEL bN DTYPE train tT: X img/s median, Y best, rss Z MiB
"""
import argparse
import resource
import statistics
import time

import torch
from torch.nn import functional as F

from torch_models import MODELS

WARM_UP = 3


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--infer", action="store_true")
    parser.add_argument("--optimizer", choices=["sgd", "adam"], default="sgd")
    parser.add_argument("--ipex", action="store_true", help="use Intel's extension")
    parser.add_argument("--compile", action="store_true", help="use torch.compile")
    return parser.parse_args()


def prepare(options):
    """The network, its optimizer and a batch, channels last, which is fastest on CPUs."""
    make, shape, classes = MODELS[options.model]
    net = make().to(memory_format=torch.channels_last).train(not options.infer)
    if options.optimizer == "sgd":
        optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9)
    else:
        optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    images = torch.randn(options.batch, *shape).to(memory_format=torch.channels_last)
    labels = torch.randint(0, classes, (options.batch,))
    if options.ipex:
        import intel_extension_for_pytorch as ipex
        dtype = torch.bfloat16 if options.dtype == "bf16" else torch.float32
        if options.infer:
            net = ipex.optimize(net, dtype=dtype)
        else:
            net, optimizer = ipex.optimize(net, optimizer=optimizer, dtype=dtype)
    if options.compile:
        net = torch.compile(net)
    return net, optimizer, images, labels


def stepper(options):
    net, optimizer, images, labels = prepare(options)

    def lower():
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.dtype == "bf16")

    def infer():
        with torch.no_grad(), lower():
            net(images)

    def train():
        optimizer.zero_grad(set_to_none=True)
        with lower():
            logits = net(images)
        F.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return infer if options.infer else train


def main():
    options = arguments()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    step = stepper(options)
    for _ in range(WARM_UP):
        step()
    times = []
    for _ in range(options.steps):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    name = "torch " + torch.__version__ + ("+ipex" if options.ipex else "") + ("+compile" if options.compile else "")
    mode = "infer" if options.infer else "train" + ("-adam" if options.optimizer == "adam" else "")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name} {options.model} b{options.batch} {options.dtype} {mode} t{options.threads}: "
          f"{options.batch / statistics.median(times):.1f} img/s median, {options.batch / min(times):.1f} best, "
          f"rss {memory:.0f} MiB")


main()
