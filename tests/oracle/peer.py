"""Runs tests/oracle/oracle_calls.c, in one process per configuration."""
import os
import subprocess
import tempfile

import torch

DTYPES = {"f32": (torch.float32, 4), "bf16": (torch.bfloat16, 2), "u8": (torch.uint8, 1), "i32": (torch.int32, 4),
          "i64": (torch.int64, 8)}


def to_bytes(tensor, name):
    t = tensor.to(DTYPES[name][0]).contiguous()
    return bytes((t.view(torch.int16) if name == "bf16" else t).reshape(-1).numpy().tobytes()) if t.numel() else b""


def from_bytes(data, name, dims):
    t = torch.frombuffer(bytearray(data), dtype=torch.int16 if name == "bf16" else DTYPES[name][0])
    return (t.view(torch.bfloat16) if name == "bf16" else t).reshape(dims).double()


class Failed(Exception):
    """The program refused the call, or died."""


class NotBuilt(Failed):
    """The program was built without the library that the case asks for."""


class Program:
    def __init__(self, path, isa, backend, emulate):
        self.path, self.process = path, None
        self.environment = dict(os.environ, **({"TG_ASSUME_AMX": "1"} if emulate else {}))
        self.environment.setdefault("OMP_WAIT_POLICY", "passive")
        for key, value in (("TG_MAX_ISA", isa), ("TG_BACKEND", backend)):
            if value != "default":
                self.environment[key] = value

    def start(self):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        env=self.environment)

    def ended(self):
        status = self.process.wait()
        self.errors.seek(0)
        text = self.errors.read().decode(errors="replace").strip().splitlines()
        self.process = None
        told = [line for line in text if "ERROR" in line or "runtime error" in line] or text[-1:]
        return Failed(f"the program ended with status {status}: {' '.join(told[:2])}")

    def line(self):
        line = self.process.stdout.readline().decode()
        if not line.endswith("\n"):
            raise self.ended()
        return line.split()

    def tensor(self):
        name, rank, *dims = self.line()
        dims = [int(d) for d in dims]
        if name == "none":
            return None
        n = DTYPES[name][1]
        for d in dims:
            n *= d
        data = self.process.stdout.read(n)
        if len(data) != n:
            raise self.ended()
        return name, from_bytes(data, name, dims)

    def call(self, request, data):
        """The returned tensors (dtype, values), or None for a missing one."""
        if not self.process:
            self.start()
        try:
            self.process.stdin.write(request.encode() + b"\n" + b"".join(data))
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self.ended()
        answer = self.line()
        if answer[0] == "error":
            text = " ".join(answer[1:])
            raise (NotBuilt if "not in this build" in text else Failed)("refused: " + text)
        return [self.tensor() for _ in range(int(answer[1]))]

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.errors.seek(0)
            if self.process.returncode:
                print("at its end:", self.errors.read().decode(errors="replace")[-2000:])
        return not self.process or not self.process.returncode
