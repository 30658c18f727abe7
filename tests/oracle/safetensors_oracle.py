#!/usr/bin/env python3
"""Validates possible safetensors files by the rules of lib/files/tensor_file.h, independently of its code.

usage: safetensors_oracle.py CASES

CASES holds files one after the other, each behind its length (4 bytes, little-endian).  Prints a line for each: "refused",
or the CRC-32 of what the file says: its tensors in the order of their places, its metadata, and whether there were
checksums to compare."""
import ctypes
import json
import re
import struct
import sys
import zlib

MOST_HEADER, MOST_NUMBER, MOST_NAME, MOST_RANK = 16 << 20, 1 << 48, 512, 8
BITS = {"BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
        "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
        "C64": 64, "F64": 64, "I64": 64, "U64": 64}
MARKS = ("tilegrad.format", "tilegrad.header", "tilegrad.tensors")

assert json.decoder.c_scanstring, "the lenient scanner in Python takes '\\u+123'"
xxh3 = ctypes.CDLL("libxxhash.so.0").XXH3_64bits
xxh3.restype, xxh3.argtypes = ctypes.c_uint64, (ctypes.c_char_p, ctypes.c_size_t)


class Refused(Exception):
    pass


def want(truth):
    if not truth:
        raise Refused


class Object(dict):
    """A JSON object; duplicate keys are refused, at any depth."""

    def __init__(self, pairs):
        super().__init__(pairs)
        want(len(self) == len(pairs))


def whole(text):
    """A number without fraction and exponent.  The scanner refuses leading zeros."""
    want(len(text) < 20 and not text.startswith("-"))
    return int(text)


def refuse(_):
    raise Refused


def check_strings(value):
    """json accepts what other readers refuse: unpaired surrogates; and NUL, which ends C strings."""
    if isinstance(value, str):
        want("\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value))
    elif isinstance(value, list):
        for item in value:
            check_strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            check_strings(key)
            check_strings(item)


def parse(text):
    root = json.loads(text.decode("utf-8"), object_pairs_hook=Object, parse_int=whole, parse_float=refuse,
                      parse_constant=refuse)
    want(isinstance(root, Object))
    check_strings(root)
    return root


def is_number(value):
    return type(value) is int and value <= MOST_NUMBER


def control(c):
    return ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0


def tensor(name, entry):
    want(1 <= len(name.encode()) <= MOST_NAME and not any(map(control, name)))
    want(isinstance(entry, Object) and set(entry) == {"dtype", "shape", "data_offsets"})
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    want(isinstance(dtype, str) and re.fullmatch(r"[A-Z0-9_]{1,16}", dtype))
    want(isinstance(shape, list) and len(shape) <= MOST_RANK and all(map(is_number, shape)))
    want(isinstance(offsets, list) and len(offsets) == 2 and all(map(is_number, offsets)) and offsets[0] <= offsets[1])
    bits = BITS.get(dtype, 8)
    for size in shape:
        bits *= size or 1
    want(bits <= 8 * MOST_NUMBER)
    if 0 in shape:
        bits = 0
    want(bits % 8 == 0)
    want(dtype not in BITS or bits // 8 == offsets[1] - offsets[0])
    return name, dtype, shape, offsets


def is_hexadecimal(text):
    return re.fullmatch(r"[0-9a-f]*", text) is not None


def check_marks(metadata, raw, data, tensors):
    """True if the file has marks, and they are right."""
    found = [metadata.pop(mark, None) for mark in MARKS]
    if found == [None] * len(MARKS):
        return False
    form, header, sums = found
    want(form == "1" and header is not None and sums is not None)
    want(len(header) == 16 and is_hexadecimal(header) and len(sums) == 16 * len(tensors) and is_hexadecimal(sums))
    places = [m.end() for m in re.finditer(rb'(?<!\\)"tilegrad\.header":"', raw[8:])]
    want(len(places) == 1)
    at = 8 + places[0]
    want(raw[at:at + 16] == header.encode())
    want(xxh3(raw[:at] + b"0" * 16 + raw[at + 16:], len(raw)) == int(header, 16))
    for i, (_, _, _, (begin, end)) in enumerate(tensors):
        want(xxh3(data[begin:end], end - begin) == int(sums[16 * i:16 * i + 16], 16))
    return True


def judge(file):
    want(len(file) >= 8)
    n, = struct.unpack("<Q", file[:8])
    want(n <= MOST_HEADER and 8 + n <= len(file))
    raw, data = file[:8 + n], file[8 + n:]
    root = parse(raw[8:])
    metadata = root.pop("__metadata__", None)
    metadata = Object([]) if metadata is None else metadata
    want(isinstance(metadata, Object) and all(isinstance(value, str) for value in metadata.values()))
    tensors = sorted((tensor(*item) for item in root.items()), key=lambda t: t[3])
    at = 0
    for _, _, _, (begin, end) in tensors:
        want(begin == at)
        at = end
    want(at == len(data))
    marked = check_marks(metadata, raw, data, tensors)
    said = "".join(f"{name}\0{dtype}\0{','.join(map(str, shape))}\0{begin}\0{end}\0"
                   for name, dtype, shape, (begin, end) in tensors)
    said += "".join(f"{key}\0{value}\0" for key, value in metadata.items()) + str(int(marked))
    return "%08x" % zlib.crc32(said.encode())


def verdict(file):
    try:
        return judge(file)
    except (Refused, ValueError, RecursionError):        # ValueError: JSON, UTF-8
        return "refused"


def main():
    with open(sys.argv[1], "rb") as cases:
        while length := cases.read(4):
            print(verdict(cases.read(*struct.unpack("<I", length))))


if __name__ == "__main__":
    main()
