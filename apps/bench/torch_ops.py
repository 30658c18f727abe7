#!/usr/bin/env python3
"""The peer of `tilegrad bench --ops`: runs it, then the same operators in PyTorch, and prints both with the ratio.

    OMP_PROC_BIND=close OMP_PLACES=cores apps/bench/torch_ops.py build/tilegrad --threads 2 [--dtype bf16] [--ops NAME]

A ratio above 1 means that tilegrad is faster.  Exit status 1 if a row ran on `ref`, or is below --least.
"""
import argparse
import os
import statistics
import subprocess
import sys
import time

PROCESSORS = os.sched_getaffinity(0)                  # before libgomp binds this thread to one of them
import torch  # noqa: E402
from torch.nn import functional as F  # noqa: E402


def nchw(x):
    """Images are channels last in both; PyTorch's shape is [n, c, h, w]."""
    return x.permute(0, 3, 1, 2) if x.dim() == 4 else x


def conv(padding, stride=1, groups=None):
    return lambda x, w: F.conv2d(nchw(x), nchw(w), None, stride, padding, 1, groups or x.shape[3] // w.shape[3])


OPERATORS = {
    "relu": torch.relu, "leaky_relu": lambda x: F.leaky_relu(x, 0.01), "sigmoid": torch.sigmoid, "tanh": torch.tanh,
    "gelu": F.gelu, "silu": F.silu, "hardswish": F.hardswish, "exp": torch.exp, "affine": lambda x: 2 * x + 1,
    "square": lambda x: x ** 2, "dropout": lambda x: F.dropout(x, 0.5), "add": torch.add, "sub": torch.sub,
    "mul": torch.mul, "div": torch.div, "sum_all": torch.sum, "sum_first": lambda x: x.sum(0),
    "mean_last": lambda x: x.mean(-1), "mean_pixels": lambda x: x.mean((1, 2)), "max_last": lambda x: x.amax(-1),
    "max_pixels": lambda x: x.amax((1, 2)), "max_all": torch.amax, "argmax_last": lambda x: x.argmax(-1),
    "softmax_last": lambda x: x.softmax(-1), "softmax_second": lambda x: x.softmax(1),
    "log_softmax_last": lambda x: x.log_softmax(-1),
    "layer_norm": lambda x, g, b: F.layer_norm(x, g.shape, g.to(x.dtype), b.to(x.dtype)),
    "batch_norm": lambda x, g, b: F.batch_norm(nchw(x), None, None, g, b, True),
    "cross_entropy": lambda x: F.cross_entropy(x.float(), torch.arange(x.shape[0]) * 7 % x.shape[1]),
    "mse": lambda x, y: F.mse_loss(x.float(), y.float()), "l1": lambda x, y: F.l1_loss(x.float(), y.float()),
    "bce": lambda x, y: F.binary_cross_entropy_with_logits(x.float(), y.float()),
    "max_pool_2": lambda x: F.max_pool2d(nchw(x), 2), "max_pool_3": lambda x: F.max_pool2d(nchw(x), 3, 2, 1),
    "avg_pool_2": lambda x: F.avg_pool2d(nchw(x), 2), "avg_pool_3": lambda x: F.avg_pool2d(nchw(x), 3, 1, 1),
    "global_avg_pool": lambda x: F.adaptive_avg_pool2d(nchw(x), 1),
    "adaptive_pool_7": lambda x: F.adaptive_avg_pool2d(nchw(x), 7),
    "upsample_nearest": lambda x: F.interpolate(nchw(x), size=(56, 56), mode="nearest"),
    "upsample_bilinear": lambda x: F.interpolate(nchw(x), size=(56, 56), mode="bilinear"),
    "channels_first": lambda x: x.permute(0, 3, 1, 2).contiguous(), "heads": lambda x: x.transpose(1, 2).contiguous(),
    "flatten": lambda x: nchw(x).flatten(1), "concat_last": lambda x, y: torch.cat((x, y), -1),
    "slice_last": lambda x: x[..., : x.shape[-1] // 2].contiguous(), "pad_pixels": lambda x: F.pad(x, (0, 0, 1, 1, 1, 1)),
    "matmul": torch.matmul, "linear": lambda x, w, b: F.linear(x, w, b.to(w.dtype)),
    "conv_1x1": conv(0), "conv_3x3": conv(1), "depthwise_3": conv(1), "depthwise_3_s2": conv(1, 2),
    "depthwise_5": conv(2), "depthwise_7": conv(3), "grouped_3x3": conv(1),
    "grouped_3x3_of_4": conv(1), "grouped_3x3_of_16": conv(1), "grouped_3x3_of_24": conv(1),
    "grouped_3x3_of_32": conv(1),
}


def measure(name, shapes, dtype, rounds):
    """Milliseconds of forward and of backward, for the gradients of float inputs, which start as None each time."""
    inputs = [(torch.rand(shape) * 0.9 + 0.1).to(dtype if len(shape) > 1 else torch.float32).requires_grad_()
              for shape in shapes]
    forward, backward = [], []
    for _ in range(rounds + 2):
        for x in inputs:
            x.grad = None
        began = time.perf_counter()
        y = OPERATORS[name](*inputs)
        forward.append((time.perf_counter() - began) * 1e3)
        if y.is_floating_point():
            g = torch.ones_like(y)
            began = time.perf_counter()
            y.backward(g)
            backward.append((time.perf_counter() - began) * 1e3)
    return {"forward": statistics.median(forward[2:]), "backward": statistics.median(backward[2:] or [0])}


def ours(options):
    """The lines of the table: (name, shapes as text, pass, ms, kernels)."""
    line = [options.tilegrad, "bench", "--ops=" + options.ops, "--dtype", options.dtype, "--threads", str(options.threads),
            "--steps", str(options.steps)]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}   # PyTorch's alone
    for row in subprocess.run(line, check=True, capture_output=True, text=True, env=env,
                              preexec_fn=lambda: os.sched_setaffinity(0, PROCESSORS)).stdout.splitlines()[1:]:
        field = row.split(None, 7)
        yield field[0], field[1], field[3], float(field[4]), field[7] if len(field) > 7 else "-"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tilegrad")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--ops", default="", help="prefix of the rows' names")
    parser.add_argument("--least", type=float, default=0, help="minimum ratio of a row")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    known, failed = {}, False
    for name, text, which, ms, kernels in ours(options):
        if (name, text) not in known:
            shapes = [[int(d) for d in shape.split("x")] for shape in text.split(",")]
            dtype = torch.bfloat16 if options.dtype == "bf16" else torch.float32
            known[name, text] = measure(name, shapes, dtype, options.steps)
        theirs = known[name, text][which]
        bad = theirs / max(ms, 1e-4) < options.least or "/ref" in kernels
        failed |= bad
        print(f"{name:17} {text:34} {options.dtype} {which:8} {ms:9.3f} {theirs:9.3f} {theirs / max(ms, 1e-4):6.2f}"
              f"{' !' if bad else '  '} {kernels}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
