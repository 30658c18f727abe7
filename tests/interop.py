#!/usr/bin/env python3
"""A ResNet-18 and its Adam, trained by tilegrad and gone on with by PyTorch, and the other way round.

usage: interop.py INTEROP_MODEL FOLDER       exit status 77: PyTorch is missing, nothing was checked
"""
import os
import subprocess
import sys

try:
    import torch
    from torch import nn
except ImportError:
    print("skipped: no PyTorch here (Debian: python3-torch)")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(os.path.dirname(HERE), "apps", "interop")
sys.path[:0] = [os.path.join(HERE, "oracle"), TOOLS]
sys.dont_write_bytecode = True
import tensor_file                  # noqa: E402
from formula import wave            # noqa: E402


class Block(nn.Module):
    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or channels_in != channels:
            self.downsample = nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
        channels = 64
        for i, width in enumerate((64, 128, 256, 512)):
            setattr(self, f"layer{i + 1}", nn.Sequential(Block(channels, width, 2 if i else 1), Block(width, width, 1)))
            channels = width
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        return self.fc(self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean(dim=(2, 3)))


def make():
    net = ResNet18()
    return net, torch.optim.Adam(net.parameters(), 1e-3, weight_decay=0.01)


def step(net, opt, i):
    net.train()
    opt.zero_grad()
    y = torch.tensor([i % 10, 3, 7, (i + 5) % 10])
    nn.functional.cross_entropy(net(wave(100 + i, (4, 3, 32, 32), 1)), y).backward()
    opt.step()


def logits(net):
    with torch.no_grad():
        return net.eval()(wave(1, (4, 3, 32, 32), 1))


def read(path):
    with open(path, "rb") as file:
        return torch.frombuffer(bytearray(file.read()), dtype=torch.float32).reshape(2, 4, 10)


def close(what, got, want, tolerance):
    worst = ((got - want).abs().max() / want.abs().max()).item()
    print(f"{what}: largest difference {worst:.1e} of the largest number, wanted at most {tolerance:.0e}")
    if not worst <= tolerance:
        sys.exit(1)


def tool(name, *arguments):
    subprocess.run([sys.executable, "-B", os.path.join(TOOLS, name), *arguments], check=True)


def from_tilegrad(program, folder):
    """tilegrad trains 3 steps; PyTorch evaluates, and makes the fourth step as tilegrad does."""
    file, numbers, pt = (os.path.join(folder, name) for name in ("ours.safetensors", "ours.bin", "ours.pt"))
    subprocess.run([program, "train", file, numbers], check=True)
    want = read(numbers)
    net, opt = make()
    tensors, _ = tensor_file.load(file)
    net.load_state_dict(tensors, strict=False)
    close("tilegrad's weights in PyTorch, strict=False", logits(net), want[0], 1e-4)
    tool("st2pt.py", file, pt)
    both = tensor_file.load_pt(pt)
    net, opt = make()
    net.load_state_dict(both["model"])
    opt.load_state_dict(both["optimizer"])
    for (name, p), i in zip(net.named_parameters(), range(10**6)):
        for key in ("exp_avg", "exp_avg_sq"):
            assert torch.equal(opt.state_dict()["state"][i][key], tensors[f"optim/{key}/{name}"]), (key, name)
    step(net, opt, 3)
    close("one more step in PyTorch", logits(net), want[1], 1e-3)


def to_tilegrad(program, folder):
    """The other way round."""
    file, numbers, pt = (os.path.join(folder, name) for name in ("theirs.safetensors", "theirs.bin", "theirs.pt"))
    torch.manual_seed(0)
    net, opt = make()
    for i in range(3):
        step(net, opt, i)
    torch.save({"model": net.state_dict(), "optimizer": opt.state_dict()}, pt)
    tool("pt2st.py", pt, file, "--kind", "adam")
    before = logits(net)
    step(net, opt, 3)
    subprocess.run([program, "go-on", file, numbers], check=True)
    got = read(numbers)
    close("PyTorch's weights in tilegrad", got[0], before, 1e-4)
    close("one more step in tilegrad", got[1], logits(net), 1e-3)


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def hostile(folder):
    """A file whose unpickling would run something is refused, and runs nothing."""
    pt, trace = os.path.join(folder, "hostile.pt"), os.path.join(folder, "trace")
    torch.save({"weight": torch.zeros(2), "more": Hostile(trace)}, pt)
    status = subprocess.run([sys.executable, "-B", os.path.join(TOOLS, "pt2st.py"), pt, pt + ".st"], capture_output=True)
    assert status.returncode == 1 and not os.path.exists(trace) and not os.path.exists(pt + ".st"), status
    print("a hostile .pt is refused:", status.stderr.decode().splitlines()[-1][:100])


def main():
    program, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    from_tilegrad(program, folder)
    to_tilegrad(program, folder)
    hostile(folder)


if __name__ == "__main__":
    main()
