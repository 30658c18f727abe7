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
    """A ZIP written to a stream without seek: sizes come after the data."""
    read, write = os.pipe()
    with subprocess.Popen(["cat"], stdin=read, stdout=open(path, "wb")) as cat:
        os.close(read)
        with os.fdopen(write, "wb") as to, warnings.catch_warnings():
            np.savez_compressed(to, **named)
        cat.wait()


def equal_or_nan(want, got):
    return want.dtype == got.dtype and np.array_equal(want, got, equal_nan=True)


def rounds():
    """To f16 and f32 with NumPy's rounding, including subnormals and ties; the average equals NumPy's."""
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
    orders(named)
    unreadable(named)
    rounds()


def orders(named):
    """Any byte order, order of axes and spelling reads as NumPy does, in a .npy, a .npz, a compressed .npz."""
    random = np.random.default_rng(3)
    for code in ("f8", "f4", "f2", "c8", "i8", "i4", "i2", "u8", "u4", "u2"):
        array = random.integers(0, 100, (3, 4, 5)).astype("<" + code)
        forms = {"big": array.astype(">" + code), "columns": np.asfortranarray(array),
                 "both": np.asfortranarray(array.astype(">" + code)), "turned": array.T.copy().T,
                 "vector": array[:, 0, 0].astype(">" + code)}
        want = {name: np.ascontiguousarray(form).astype("<" + code) for name, form in forms.items()}
        for write in (np.savez, np.savez_compressed):
            write("forms.npz", **forms)
            converts(f"{code}, {write.__name__}", "forms.npz", want)
        np.save("one.npy", forms["both"])
        status, text = ckpt("convert", "one.npy", "one.npz")
        check(f"{code}: .npy", status == 0 and same({"arr_0": want["both"]}, dict(np.load("one.npz"))), text)
    for descr in ("float32", "f", "=f4", "single", ">f4"):
        with open("one.npy", "wb") as file:
            head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': (3,)}}".ljust(117) + "\n"
            file.write(b"\x93NUMPY\1\0" + len(head).to_bytes(2, "little") + head.encode() + np.arange(3, dtype=descr).tobytes())
        status, text = ckpt("convert", "one.npy", "one.npz")
        check(f"spelled {descr}", status == 0 and np.array_equal(np.load("one.npz")["arr_0"], np.load("one.npy")), text)
    np.save("one.npy", np.array([0x3f80, 0xc000, 0x7f80], "<u2").view("V2"))
    status, text = ckpt("convert", "one.npy", "one.npz")
    check("V2 unasked", status == 1 and "one.npy: arr_0: dtype " in text and "--v2 bf16" in text, text)
    status, text = ckpt("convert", "one.npy", "one.npz", "--v2", "bf16", "--dtype", "f32")
    check("V2", status == 0 and np.array_equal(np.load("one.npz")["arr_0"], np.array([1, -2, np.inf], "f4")), text)
    big = np.asfortranarray(random.standard_normal((2000, 700)).astype("f4"))
    np.savez_compressed("big.npz", w=big)
    converts("a large one in columns", "big.npz", {"w": np.ascontiguousarray(big)})


def unreadable(named):
    """Other members are skipped; an array that cannot be read is named, and the others are converted."""
    good = {name: named[name] for name in ("F32.2x3x4", "I64.3")}
    np.savez("good.npz", **good)
    with zipfile.ZipFile("good.npz", "a") as file:
        file.writestr("README.txt", "about")
        file.writestr("folder/", "")
        file.writestr("folder/w.npy", open("one.npy", "rb").read().replace(b"|V2", b"<u2"))
        file.comment = b"made on a Tuesday"
    converts("other members", "good.npz", {**good, "folder/w": np.array([0x3f80, 0xc000, 0x7f80], "<u2")})
    bad = {"texts": np.array(["a", "bc"]), "objects": np.array([{}]), "records": np.zeros(2, [("a", "f4"), ("b", "i4")]),
           "dates": np.zeros(2, "M8[s]"), "wide": np.zeros(2, "c16")}
    words = {"texts": "<U2", "objects": "|O", "records": "structured", "dates": "<M8[s]", "wide": "<c16"}
    for name, array in bad.items():
        np.savez("bad.npz", **good, **{name: array})
        status, text = ckpt("convert", "bad.npz", "out.npz")
        check(f"{name} among others", status == 1 and f"bad.npz: {name}: " in text and words[name] in text and
              same(good, dict(np.load("out.npz"))), text)
        status, text = ckpt("inspect", "--stats", "bad.npz")
        check(f"{name}: inspect", status == 0 and words[name] in text, text)
        np.save("one.npy", array)
        os.unlink("out.npz")
        status, text = ckpt("convert", "one.npy", "out.npz")
        check(f"{name} alone", status == 1 and "one.npy: arr_0: " in text and words[name] in text and
              not os.path.exists("out.npz"), text)
    with zipfile.ZipFile("bad.npz", "w") as file:
        file.writestr("lzma.npy", open("one.npy", "rb").read(), zipfile.ZIP_LZMA)
        file.writestr("text.npy", "nothing of the kind")
        np.save("good.npy", good["I64.3"])
        file.write("good.npy")
    status, text = ckpt("convert", "bad.npz", "out.npz")
    check("damaged members", status == 1 and same({"good": good["I64.3"]}, dict(np.load("out.npz"))) and
          "lzma: is compressed by a method other than deflate" in text and "text: not a .npy file" in text, text)
    status, text = ckpt("verify", "bad.npz")
    check("damaged members: verify", status == 1 and "2 of 3" in text, text)
    status, text = ckpt("diff", "bad.npz", "bad.npz")
    check("damaged members: diff", status == 1 and "lzma: is compressed" in text, text)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    main()
print(f"{rows} rows, {failures} failures")
sys.exit(failures > 0)
