"""Round trips between NumPy's files and tilegrad's.  usage: numpy_files.py TILEGRAD"""
import json
import os
import subprocess
import sys
import tempfile
import warnings
import zipfile

import numpy as np

TILEGRAD = sys.argv[1]
SAFETENSORS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "C64": "<c8", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
               "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1"}
rows = failures = 0


def arrays():
    random, named = np.random.default_rng(1), {}
    for name, descr in SAFETENSORS.items():
        for shape in ((), (0,), (3,), (2, 3, 4), (1, 0, 5), (50, 333)):
            size = int(np.prod(shape)) * np.dtype(descr).itemsize
            raw = random.integers(0, 2 if name == "BOOL" else 256, size, dtype="u1").tobytes()
            named[f"{name}.{'x'.join(map(str, shape)) or 'scalar'}"] = np.frombuffer(raw, descr).reshape(shape)
    named["special.f4"] = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38], "f4")
    named["optim/m.größe"] = np.arange(5.0)
    named["x.npy"] = np.arange(3)
    return named


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: np.frombuffer(data[t["data_offsets"][0]:t["data_offsets"][1]], SAFETENSORS[t["dtype"]]).reshape(t["shape"])
            for name, t in header.items()}


def check(row, good, why=""):
    global rows, failures
    rows += 1
    failures += not good
    print("ok   " if good else "FAIL ", row, "" if good else why)


def ckpt(*arguments):
    done = subprocess.run([TILEGRAD, "ckpt", *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def same(want, got):
    return sorted(want) == sorted(got) and all(
        want[k].dtype == got[k].dtype and want[k].shape == got[k].shape and want[k].tobytes() == got[k].tobytes() for k in want)


def converts(row, path, want):
    """To safetensors and to .npz, and what comes out has the same bits."""
    for out, read in (("out.safetensors", read_safetensors), ("out.npz", lambda p: dict(np.load(p)))):
        status, text = ckpt("convert", path, out)
        check(f"{row} to {out}", status == 0 and same(want, read(out)), text)
    status, text = ckpt("verify", path, "out.npz")
    check(f"{row}: verify", status == 0, text)
    check(f"{row}: zipfile", zipfile.ZipFile("out.npz").testzip() is None)


def streamed(path, named):
    """As where a file cannot be gone back in: sizes come after the data."""
    read, write = os.pipe()
    with subprocess.Popen(["cat"], stdin=read, stdout=open(path, "wb")) as cat:
        os.close(read)
        with os.fdopen(write, "wb") as to, warnings.catch_warnings():
            np.savez_compressed(to, **named)
        cat.wait()


def equal_or_nan(want, got):
    return want.dtype == got.dtype and np.array_equal(want, got, equal_nan=True)


def rounds():
    """To f16 and f32 as NumPy rounds, subnormals and halves between two numbers too; the mean as NumPy's."""
    random = np.random.default_rng(2)
    edges = [65504, 65519.99, 65520, 1e-8, 2.98e-8, 2.0**-25, 2.0**-25 * (1 + 2.0**-40), -6.1e-5, 0, -0.0, np.inf, -np.inf,
             np.nan, 5e-324, 1.7e308, 2049, 2051, 1 + 2.0**-11, 1 + 2.0**-11 + 2.0**-40]
    wide = np.concatenate([random.standard_normal(100000) * 10.0**random.integers(-50, 50, 100000),
                           random.standard_normal(100000) * 10.0**random.integers(-9, 6, 100000), edges])
    with np.errstate(over="ignore"):
        narrow = wide.astype("f4")
        np.savez("wide.npz", f8=wide, f4=narrow)
        for dtype, option in (("f2", "f16"), ("f4", "f32")):
            status, text = ckpt("convert", "wide.npz", "out.npz", "--dtype", option)
            got = dict(np.load("out.npz"))
            check(f"f64 to {option}", status == 0 and equal_or_nan(wide.astype(dtype), got["f8"]), text)
            check(f"f32 to {option}", status == 0 and equal_or_nan(narrow.astype(dtype), got["f4"]), text)
    files = [random.standard_normal((300, 700)).astype("f4") for _ in range(3)]
    for i, array in enumerate(files):
        np.savez(f"file{i}.npz", w=array, steps=np.array(i))
    status, text = ckpt("average", "mean.npz", "file0.npz", "file1.npz", "file2.npz")
    mean = np.sum([a.astype("f8") for a in files], axis=0) / 3
    check("average", status == 0 and same({"w": mean.astype("f4"), "steps": np.array(2)}, dict(np.load("mean.npz"))), text)


def main():
    named = arrays()
    np.savez("stored.npz", **named)
    np.savez_compressed("compressed.npz", **named)
    streamed("streamed.npz", named)
    for path in ("stored.npz", "compressed.npz", "streamed.npz"):
        converts(path, path, named)
    for name, array in named.items():
        np.save("one.npy", array)
        status, text = ckpt("convert", "one.npy", "one.npz")
        check(f"{name}: .npy", status == 0 and same({"arr_0": array}, dict(np.load("one.npz"))), text)
    for version in ((1, 0), (2, 0), (3, 0)):
        with open("one.npy", "wb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.lib.format.write_array(file, named["F32.2x3x4"], version=version)
        status, text = ckpt("convert", "one.npy", "one.npz")
        check(f".npy {version}", status == 0 and same({"arr_0": named["F32.2x3x4"]}, dict(np.load("one.npz"))), text)
    for row, array, word in (("big-endian", np.arange(4, dtype=">f4"), ">f4"), ("texts", np.array(["a", "bc"]), "<U2"),
                             ("columns", np.asfortranarray(np.ones((2, 3), "f4")), "Fortran order")):
        np.save("one.npy", array)
        status, text = ckpt("inspect", "--stats", "one.npy")
        check(f"{row}: inspect", status == 0 and word in text, text)
        status, text = ckpt("convert", "one.npy", "one.npz")
        check(f"{row}: convert", status == 1 and word in text, text)
    np.save("one.npy", np.array([{}]), allow_pickle=True)
    status, text = ckpt("convert", "one.npy", "one.npz")
    check("objects", status == 1 and "|O" in text, text)
    np.save("one.npy", np.zeros(2, [("a", "f4"), ("b", "i4")]))
    status, text = ckpt("inspect", "one.npy")
    check("structured", status == 1 and "structured" in text, text)
    rounds()


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    main()
print(f"{rows} rows, {failures} failures")
sys.exit(failures > 0)
