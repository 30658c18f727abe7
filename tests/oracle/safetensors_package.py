#!/usr/bin/env python3
"""Passes files from the package `safetensors` through tilegrad and back.

usage: safetensors_package.py COPY_TENSORS      (77: the package is missing)"""
import json
import os
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import safetensors
    import safetensors.numpy
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

DTYPES = {"float64": 8, "float32": 4, "float16": 2, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint64": 8, "uint32": 4,
          "uint16": 2, "uint8": 1, "bool": 1}
SHAPES = [(), (0,), (1,), (7,), (3, 5), (2, 0, 4), (2, 3, 4, 5), (1,) * 8, (1000, 301)]


def arrays():
    random = np.random.default_rng(1)
    for dtype in DTYPES:
        for shape in SHAPES:
            values = random.integers(0, 2 if dtype == "bool" else 100, shape)
            yield f"{dtype} é \"{shape}\"", np.asarray(values, dtype=dtype)


def raw(path):
    """The package's own reader, without NumPy: supports BF16 and the like."""
    with open(path, "rb") as file:
        return {name: (t["dtype"], list(t["shape"]), bytes(t["data"])) for name, t in safetensors.deserialize(file.read())}


def main():
    copy, work = sys.argv[1], tempfile.mkdtemp()
    theirs, ours, again = (os.path.join(work, name) for name in ("theirs", "ours", "again"))
    tensors, metadata = dict(arrays()), {"format": "np", "note": "two\nlines \\ \"é\""}
    safetensors.numpy.save_file(tensors, theirs, metadata)
    subprocess.run([copy, theirs, ours], check=True)
    subprocess.run([copy, ours, again], check=True)
    for path in (ours, again):
        loaded = safetensors.numpy.load_file(path)
        assert set(loaded) == set(tensors)
        for name, want in tensors.items():
            assert loaded[name].dtype == want.dtype and loaded[name].shape == want.shape and (loaded[name] == want).all(), name
        with safetensors.safe_open(path, "np") as file:
            kept = {key: value for key, value in file.metadata().items() if not key.startswith("tilegrad.")}
            assert kept == metadata and len(file.metadata()) == len(kept) + 3

    # Written directly: BF16, which NumPy lacks, and headers with white space around them, or without any.
    header = json.dumps({"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
                         "b": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]}}).encode()
    want = {"a": ("F32", [2, 2], bytes(range(16))), "b": ("BF16", [3], bytes(range(16, 22)))}
    for text in header, b" \n" + header, header + b" \t\r\n   ":
        with open(theirs, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + bytes(range(22)))
        subprocess.run([copy, theirs, ours], check=True)
        assert raw(theirs) == raw(ours) == want
    print(f"{len(tensors)} tensors of {len(DTYPES)} dtypes, and BF16, through safetensors {safetensors.__version__} and back")


main()
