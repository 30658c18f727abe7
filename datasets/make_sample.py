#!/usr/bin/env python3
"""Create the sample of Fashion-MNIST that the repository contains.

usage: make_sample.py [FROM [TO]]

FROM  folder with the whole data set (default: the folder of Debian's dataset-fashion-mnist)
TO    folder to write (default: sample, next to this script)

The first 200 training and the first 50 test images of each of the ten classes, in their original order, so that the
sample is balanced and reproducible: four gzipped IDX files of unsigned bytes, and the licence.
"""
import gzip
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
LICENSE = """\
The images and labels in this folder are a part of Fashion-MNIST,
https://github.com/zalandoresearch/fashion-mnist

The MIT License (MIT)

Copyright (c) 2017 Zalando SE, https://tech.zalando.com

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def read_idx(path, rank):
    with gzip.open(path) as file:
        data = file.read()
    zero, kind, found, *dim = struct.unpack_from(">HBB%dI" % rank, data)
    assert (zero, kind, found) == (0, 8, rank), path
    return dim, data[4 + 4 * rank:]


def write_idx(path, dim, data):
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(struct.pack(">HBB%dI" % len(dim), 0, 8, len(dim), *dim) + data)


def first_of_each(labels, many):
    """Positions of the first `many` images of each class, in order."""
    seen = [0] * 10
    chosen = []
    for i, label in enumerate(labels):
        if seen[label] < many:
            chosen.append(i)
        seen[label] += 1
    assert len(chosen) == 10 * many
    return chosen


def main(source, target):
    os.makedirs(target, exist_ok=True)
    for split, many in ("train", 200), ("t10k", 50):
        images, labels = split + "-images-idx3-ubyte.gz", split + "-labels-idx1-ubyte.gz"
        (_, h, w), pixels = read_idx(os.path.join(source, images), 3)
        _, classes = read_idx(os.path.join(source, labels), 1)
        chosen = first_of_each(classes, many)
        cut = b"".join(pixels[i * h * w:(i + 1) * h * w] for i in chosen)
        write_idx(os.path.join(target, images), [len(chosen), h, w], cut)
        write_idx(os.path.join(target, labels), [len(chosen)], bytes(classes[i] for i in chosen))
    with open(os.path.join(target, "LICENSE"), "w") as file:
        file.write(LICENSE)


if __name__ == "__main__":
    if len(sys.argv) > 3 or "-h" in sys.argv or "--help" in sys.argv:
        sys.exit(__doc__)
    places = sys.argv[1:] + ["/usr/share/datasets/fashion-mnist", os.path.join(HERE, "sample")][len(sys.argv) - 1:]
    main(*places)
