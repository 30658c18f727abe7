#!/usr/bin/python3
"""Gradients of a small CNN in situations where frameworks differ.

    python3 tests/oracle/gradients.py > tests/oracle/gradients.h       (Debian: python3-torch)

All numbers come from one formula, which tests/support/wave.c has too.  Arrays are in PyTorch's order of axes.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F
from formula import wave

N = 4


class Net:
    def __init__(self):
        self.conv, self.bn, self.fc = nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Linear(3, 3)
        self.param = [p for m in (self.conv, self.bn, self.fc) for p in m.parameters()]
        with torch.no_grad():
            for i, p in enumerate(self.param):
                p.copy_(wave(i + 1, p.shape, 0.5))
            self.bn.weight.add_(1)

    def trunk(self, x):
        return F.relu(self.bn(torch.tanh(self.conv(x)))).mean(dim=(2, 3))


def data(first=0, last=N):
    x, y = wave(50, (N, 2, 5, 5), 1), torch.tensor([i % 3 for i in range(N)])
    return x[first:last], y[first:last]


def single(net):
    x, y = data()
    F.cross_entropy(net.fc(net.trunk(x)), y).backward()


def micro(net):
    for first in (0, 2):
        x, y = data(first, first + 2)
        F.cross_entropy(net.fc(net.trunk(x)), y).backward()


def twice(net):
    x, y = data()
    loss = F.cross_entropy(net.fc(net.trunk(x)), y)
    loss.backward(retain_graph=True)
    loss.backward()


def two_losses(net):
    x, y = data()
    h = net.trunk(x)
    one, other = F.cross_entropy(net.fc(h), y), (h * h).mean()
    one.backward(retain_graph=True)
    other.backward()


def part(net):
    x, y = data()
    h = net.trunk(x)
    (F.cross_entropy(net.fc(h.detach()), y) + h.mean()).backward()


def frozen(net):
    for p in net.conv.parameters():
        p.requires_grad_(False)
    single(net)


def shared(net):
    x, y = data()
    F.cross_entropy(net.fc(torch.tanh(net.fc(net.trunk(x)))), y).backward()


def from_middle(net):
    x, _ = data()
    net.fc(net.trunk(x)).backward(wave(9, (N, 3), 1))


def of_input(net):
    for p in net.param:
        p.requires_grad_(False)
    x, y = data()
    x = x.clone().requires_grad_()
    F.cross_entropy(net.fc(net.trunk(x)), y).backward()
    return x.grad


def show(name, numbers):
    print(f'static const double {name}[] = {{')
    for i in range(0, len(numbers), 7):
        print('    ' + ' '.join(f'{x:.8g},' for x in numbers[i:i + 7]))
    print('};')


def main():
    print('/* gradients.h - made by tests/oracle/gradients.py: those of conv.weight, conv.bias, bn.weight, bn.bias,')
    print(' * fc.weight, fc.bias, one after the other (none: left out), or of the input. */')
    for case in (single, micro, twice, two_losses, part, frozen, shared, from_middle):
        net = Net()
        case(net)
        grads = [p.grad for p in net.param if p.grad is not None]
        show(f'{case.__name__}_grads', torch.cat([g.flatten() for g in grads]).tolist())
    show('of_input_grads', of_input(Net()).flatten().tolist())


main()
