#!/usr/bin/env python3
"""Trains a ResNet-18 with Adam in tilegrad and resumes in PyTorch, and vice versa.

usage: interop.py INTEROP_MODEL FOLDER       exit status 77: PyTorch is missing, nothing was checked
"""
import contextlib
import os
import re
import subprocess
import sys

try:
    import torch
    from torch import nn
except ImportError:
    print("skipped: no PyTorch here (Debian: python3-torch)")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "apps", "interop")
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "oracle"), TOOLS]
sys.dont_write_bytecode = True
import pt2st as tool_pt2st           # noqa: E402
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
    print(f"{what}: largest difference {worst:.1e} of the largest number, want at most {tolerance:.0e}")
    if not worst <= tolerance:
        sys.exit(1)


def tool(name, *arguments):
    subprocess.run([sys.executable, "-B", os.path.join(TOOLS, name), *arguments], check=True)


def from_tilegrad(program, folder):
    """tilegrad trains 3 steps; PyTorch evaluates, and its fourth step matches tilegrad's."""
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
    """The same from PyTorch to tilegrad."""
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


def zeros(folder):
    """A coefficient of 0 stays 0 in both directions, not the default; the others stay exact."""
    pt, file, back = (os.path.join(folder, name) for name in ("zeros.pt", "zeros.safetensors", "zeros_back.pt"))
    for betas, eps in (((0.0, 0.99), 0.0), ((0.9, 0.0), 1e-8), ((0.9, 0.999), 1e-8)):
        net = nn.Linear(2, 2)
        opt = torch.optim.Adam(net.parameters(), 1e-3, betas=betas, eps=eps)
        net(torch.ones(1, 2)).sum().backward()
        opt.step()
        torch.save({"model": net.state_dict(), "optimizer": opt.state_dict()}, pt)
        tool("pt2st.py", pt, file, "--kind", "adam")
        tool("st2pt.py", file, back)
        group = tensor_file.load_pt(back)["optimizer"]["param_groups"][0]
        assert group["betas"] == betas and group["eps"] == eps, group


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def hostile(folder):
    """A file whose unpickling would execute code is refused, and nothing is executed."""
    pt, trace = os.path.join(folder, "hostile.pt"), os.path.join(folder, "trace")
    torch.save({"weight": torch.zeros(2), "more": Hostile(trace)}, pt)
    status = subprocess.run([sys.executable, "-B", os.path.join(TOOLS, "pt2st.py"), pt, pt + ".st"], capture_output=True)
    assert status.returncode == 1 and not os.path.exists(trace) and not os.path.exists(pt + ".st"), status
    print("a hostile .pt is refused:", status.stderr.decode().splitlines()[-1][:100])


def optimizer(kind=torch.optim.SGD, groups=1, **options):
    """A model of three layers and its optimizer, after a step, with a group for each of the first layers."""
    torch.manual_seed(0)
    net = nn.Sequential(*(nn.Linear(3, 3) for _ in range(3)))
    parts = [list(layer.parameters()) for layer in net[:groups - 1]] + [list(net[groups - 1:].parameters())]
    opt = kind([{"params": params} for params in parts], **options)
    net(torch.ones(2, 3)).sum().backward()
    opt.step()
    return net, opt


def saved(net, opt, **more):
    return {"model": net.state_dict(), "optimizer": {**opt.state_dict(), **more}}


def with_rates(rates):
    net, opt = optimizer(groups=len(rates), lr=0.5, momentum=0.9)
    for group, rate in zip(opt.param_groups, rates):
        group["lr"] = rate
    return saved(net, opt)


def newer(kind, decoupled):
    """Adam and AdamW as written by PyTorch 2.8."""
    file = saved(*optimizer(kind, lr=0.1))
    for group in file["optimizer"]["param_groups"]:
        group["decoupled_weight_decay"] = decoupled
    return file


def fewer():
    """An optimizer of the last layer only: the others are frozen."""
    net, _ = optimizer(lr=0.1)
    opt = torch.optim.SGD(net[2].parameters(), lr=0.1)
    return saved(net, opt)


def convertible():
    """Files with the metadata that the converted file must contain."""
    adam, adamw = torch.optim.Adam, torch.optim.AdamW
    both = with_rates([0.5, 0.5, 0])
    return [
        ("rate 0", with_rates([0]), "sgd", [], {"lr": "0.0", "group/0/lr_scale": "1.0"}),
        ("a frozen group", both, "sgd", [], {"lr": "0.5", "group/1/lr_scale": "1.0", "group/2/lr_scale": "0.0"}),
        ("the first frozen", with_rates([0, 0.25]), "sgd", [], {"lr": "0.25", "group/0/lr_scale": "0.0"}),
        ("all frozen", with_rates([0, 0]), "sgd", [], {"lr": "0.0", "group/1/lr_scale": "1.0"}),
        ("scales", with_rates([0.5, 2]), "sgd", [], {"lr": "0.5", "group/1/lr_scale": "4.0"}),
        ("betas 0", saved(*optimizer(adam, lr=0.1, betas=(0, 0.5))), "adam", [], {"beta1": "0.0", "beta2": "0.5"}),
        ("new Adam", newer(adam, False), "adam", [], {"kind": "adam"}),
        ("new AdamW", newer(adamw, True), "adamw", [], {"kind": "adamw"}),
        ("one layer", fewer(), "sgd", ["--order", "2.weight", "2.bias"], {"steps/2.bias": "0"}),
    ]


def refusable():
    """Files with the message that refuses them."""
    adam, adamw = torch.optim.Adam, torch.optim.AdamW
    sgd = saved(*optimizer(lr=0.1))
    sparse = {"weight": torch.eye(3).to_sparse()}
    return [
        ("SGD as Adam", sgd, "adam", [], "not adam: its options are those of sgd"),
        ("Adam as SGD", saved(*optimizer(adam, lr=0.1)), "sgd", [], "not sgd: its options are those of adam or adamw"),
        ("AdamW as Adam", newer(adamw, True), "adam", [], "not adam: its options are those of adamw"),
        ("Adam as AdamW", newer(adam, False), "adamw", [], "not adamw: its options are those of adam"),
        ("RMSprop", saved(*optimizer(torch.optim.RMSprop, lr=0.1)), "sgd", [], "not sgd: its options are "),
        ("amsgrad", saved(*optimizer(adam, lr=0.1, amsgrad=True)), "adam", [], "amsgrad"),
        ("frozen layers", fewer(), "sgd", [], "the optimizer has 2 parameters, the model 6: say --order"),
        ("an order too short", sgd, "sgd", ["--order", "0.weight"], "6 parameters, --order names 1"),
        ("an order of others", sgd, "sgd", ["--order", "x"], "--order: the model has no x"),
        ("no groups", {"model": sgd["model"], "optimizer": {"state": {}}}, "sgd", [], "no optimizer's state_dict"),
        ("no optimizer", {"model": sgd["model"]}, "sgd", [], "no optimizer in the file"),
        ("sparse", sparse, None, [], "weight is sparse|sparse_tensor is not allowed"),
        ("complex", {"w": torch.zeros(2, dtype=torch.complex128)}, None, [], "w is torch.complex128"),
        ("quantized", {"w": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}, None, [],
         "w is quantized|qtensor is not allowed"),
        ("a list", [torch.zeros(2)], None, [], "holds a list"),
        ("a number for a name", {3: torch.zeros(2)}, None, [], "name is 3"),
        ("nothing", {"epoch": 3}, None, [], "no tensors in"),
    ]


def pt2st(folder, file, kind, more):
    """Runs in this process: returns the status, the message and the output file."""
    pt, st = os.path.join(folder, "in words.pt"), os.path.join(folder, "in words.st")
    if os.path.exists(st):
        os.unlink(st)
    torch.save(file, pt)
    sys.argv = ["pt2st.py", pt, st, *(["--kind", kind] if kind else []), *more]
    try:
        with contextlib.redirect_stdout(None):
            tool_pt2st.main()
    except SystemExit as end:
        return 1, str(end.code), tensor_file.load(st) if os.path.exists(st) else None
    return 0, "", tensor_file.load(st)


def in_words(folder):
    for name, file, kind, more, want in convertible():
        status, text, made = pt2st(folder, file, kind, more)
        assert status == 0, (name, text)
        got = {key: made[1].get(f"optim/{key}") for key in want}
        assert got == want, (name, got, want)
    for name, file, kind, more, want in refusable():
        status, text, made = pt2st(folder, file, kind, more)
        assert status == 1 and re.search(want, text) and made is None, (name, status, text)
    print(f"{len(convertible())} unusual files converted, {len(refusable())} refused in words")


def replaced(folder):
    """Other files, links and modes are preserved."""
    pt, target, link, part = (os.path.join(folder, name) for name in ("x.pt", "target.st", "link.st", "target.st.part"))
    torch.save({"w": torch.zeros(2)}, pt)
    for path in (target, part):
        with open(path, "w") as file:
            file.write("old")
    os.chmod(target, 0o600)
    if not os.path.islink(link):
        os.symlink("target.st", link)
    tool("pt2st.py", pt, link)
    assert os.readlink(link) == "target.st" and os.stat(target).st_mode & 0o777 == 0o600
    assert tensor_file.load(target)[0]["w"].shape == (2,)
    with open(part) as file:
        assert file.read() == "old"
    tool("st2pt.py", link, part)
    assert tensor_file.load_pt(part)["w"].shape == (2,)


def main():
    program, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    from_tilegrad(program, folder)
    to_tilegrad(program, folder)
    zeros(folder)
    hostile(folder)
    in_words(folder)
    replaced(folder)


if __name__ == "__main__":
    main()
