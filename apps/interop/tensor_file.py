"""safetensors files, read and written with torch and Python's standard library alone, and PyTorch's own, read.

The format is the length of a header (8 bytes, little-endian), the header (JSON: for each tensor its dtype, shape and place,
"__metadata__" with pairs of strings), the numbers.  tilegrad's own checks are stricter: `tilegrad ckpt verify FILE`.
"""
import collections
import json
import math
import os
import pickle
import struct
import types

import torch

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
          "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Restricted(pickle.Unpickler):
    """What weights_only=True allows, for PyTorch before 2.0, whose own takes no floats: nothing else is ever called."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) in (("torch._utils", "_rebuild_tensor_v2"), ("torch._utils", "_rebuild_parameter")):
            return getattr(torch._utils, name)
        if module == "torch" and name.endswith("Storage"):
            return getattr(torch, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a checkpoint")


def load_pt(path):
    """PyTorch's own format; nothing in it is executed."""
    if int(torch.__version__.split(".")[0]) < 2:         # 1.13 does not heed pickle_module
        torch.serialization._weights_only_unpickler = types.SimpleNamespace(Unpickler=Restricted)
    return torch.load(path, map_location="cpu", weights_only=True)


def load(path):
    """The tensors (in the file's order) and the metadata of a file."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 1 << 63
        if length > size - 8:
            raise ValueError(f"{path}: no safetensors file: a header of {length} bytes in a file of {size}")
        header = json.loads(file.read(length))
        metadata = header.pop("__metadata__", {})
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


def save(path, tensors, metadata):
    """Writes a file; it appears whole or not at all."""
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
    part = path + ".part"
    with open(part, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            file.write(tensors[name].detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
                       if tensors[name].numel() else b"")
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
