"""Reads and writes safetensors files, and reads PyTorch's own, with only torch and Python's standard library.

The format: the length of the header (8 bytes, little-endian), the header (JSON: each tensor's dtype, shape and offsets, and
"__metadata__", pairs of strings), the data.  tilegrad's own checks are stricter: `tilegrad ckpt verify FILE`.
"""
import collections
import contextlib
import json
import math
import os
import pickle
import stat
import struct
import tempfile
import types

import torch

class Refused(Exception):
    """Why a file can't be converted."""


DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
          "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool}
for file_name, torch_name in (("F8_E4M3", "float8_e4m3fn"), ("F8_E5M2", "float8_e5m2"), ("F8_E4M3FNUZ", "float8_e4m3fnuz"),
                              ("F8_E5M2FNUZ", "float8_e5m2fnuz"), ("F8_E8M0", "float8_e8m0fnu"), ("C64", "complex64"),
                              ("U16", "uint16"), ("U32", "uint32"), ("U64", "uint64")):
    if isinstance(getattr(torch, torch_name, None), torch.dtype):        # depends on the version
        DTYPES[file_name] = getattr(torch, torch_name)
NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Restricted(pickle.Unpickler):
    """The equivalent of weights_only=True for PyTorch before 2.0, whose own rejects floats: nothing else is ever called."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) in (("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_parameter")):
            return getattr(torch._utils, name)
        if module == "torch" and name.endswith("Storage"):
            return getattr(torch, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a checkpoint")


def load_pt(path):
    """Reads PyTorch's own format; nothing in it is executed."""
    if int(torch.__version__.split(".")[0]) < 2:         # 1.13 does not heed pickle_module
        torch.serialization._weights_only_unpickler = types.SimpleNamespace(Unpickler=Restricted)
    return torch.load(path, map_location="cpu", weights_only=True)


def load(path):
    """A file's tensors (in the file's order) and metadata."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 1 << 63
        if length > size - 8:
            raise ValueError(f"{path}: not a safetensors file: a header of {length} bytes in a file of {size}")
        header = json.loads(file.read(length))
        metadata = header.pop("__metadata__", None) or {}
        tensors = {}
        for name, about in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
            begin, end = about["data_offsets"]
            dtype = DTYPES.get(about["dtype"])
            if dtype is None:
                raise ValueError(f"{path}: {name} is {about['dtype']}, which torch does not have")
            file.seek(8 + length + begin)
            data = bytearray(file.read(end - begin))
            flat = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
            tensors[name] = flat.reshape(about["shape"])
    return tensors, metadata


def check(tensors):
    """Refuses tensors that a file can't hold, by name."""
    for name, t in tensors.items():
        if not isinstance(name, str):
            raise Refused(f"a tensor's name is {name!r}, want a text")
        if t.layout != torch.strided:
            raise Refused(f"{name} is sparse ({t.layout}): save its to_dense()")
        if t.is_quantized:
            raise Refused(f"{name} is quantized ({t.dtype}): save its dequantize()")
        if t.device.type == "meta":
            raise Refused(f"{name} has no values (a tensor on the device 'meta')")
        if t.dtype not in NAMES:
            raise Refused(f"{name} is {t.dtype}, which safetensors files cannot hold")


@contextlib.contextmanager
def replacing(path):
    """A temporary file that replaces `path` once it is written and synced.  The mode is kept, and if `path` is a symbolic
    link, its target is replaced."""
    path = os.path.realpath(path)
    old = os.stat(path) if os.path.exists(path) else None
    if old and not stat.S_ISREG(old.st_mode):
        raise Refused(f"{path} is not a regular file")
    descriptor, part = tempfile.mkstemp(prefix=os.path.basename(path) + ".", suffix=".part", dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            umask = os.umask(0)
            os.umask(umask)
            os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode) if old else 0o666 & ~umask)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        os.unlink(part)
        raise


def data_of(t):
    """The bytes of a tensor."""
    flat = t.detach().contiguous().view(-1)
    return flat.view(torch.uint8).numpy().data if t.numel() else b""


def save(path, tensors, metadata):
    """Writes a file atomically."""
    check(tensors)
    width = {name: t.element_size() for name, t in tensors.items()}
    header, place = {"__metadata__": {"format": "pt", **metadata}}, 0
    order = sorted(tensors, key=lambda name: -width[name])
    for name in order:
        t = tensors[name]
        size = math.prod(t.shape) * width[name]
        header[name] = {"dtype": NAMES[t.dtype], "shape": list(t.shape), "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            file.write(data_of(tensors[name]))
