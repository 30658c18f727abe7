#!/usr/bin/python3
"""The model zoo as PyTorch and torchvision have it: names, shapes, and what it makes of two images.

    python3 tests/oracle/models.py > tests/oracle/models.h       (Debian: python3-torch, python3-torchvision)
"""
import textwrap
import torch
import torch.nn as nn
from formula import wave
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet


def lenet():
    return nn.Sequential(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(64 * 49, 512), nn.ReLU(), nn.Linear(512, 10))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(),
                         nn.Linear(1024, 10))


def resnet18c():
    net = ResNet(BasicBlock, [2, 2, 2, 2], num_classes=10)
    net.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    net.maxpool = nn.Identity()
    return net


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        channels = 16
        for stage, width in enumerate((16, 32, 64)):
            blocks = []
            for i in range(3):
                stride = 2 if stage and not i else 1
                down = nn.Sequential(nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)) \
                    if channels != width else None
                blocks.append(BasicBlock(channels, width, stride, down))
                channels = width
            setattr(self, f'layer{stage + 1}', nn.Sequential(*blocks))
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x))))))
        return self.fc(x.mean(dim=(2, 3)))


def logits(net, shape):
    """With batch statistics; the weights come from the formula."""
    with torch.no_grad():
        for i, p in enumerate(net.parameters()):
            p.copy_(wave(i + 1, p.shape, 0.3))
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.weight.add_(1)
        return net.train()(wave(0, (2, *shape), 1)).flatten().tolist()


def main():
    models = dict(lenet=lenet(), mlp=mlp(), resnet20=ResNet20(), resnet18c=resnet18c(),
                  resnet50=ResNet(Bottleneck, [3, 4, 6, 3], num_classes=1000))
    print('/* models.h - made by tests/oracle/models.py: name and shape of each parameter and buffer, in order. */')
    for name, net in models.items():
        entries = [f'"{key}~{"x".join(map(str, t.shape)) or "scalar"}",' for key, t in net.state_dict().items()]
        print(f'static const char *const {name}_state[] = {{')
        print(textwrap.fill(' '.join(entries), 120, initial_indent='    ', subsequent_indent='    ').replace('~', ' '))
        print('    0\n};')
        shape = (1, 28, 28) if name in ('lenet', 'mlp') else (3, 64, 64)
        print(f'static const double {name}_logits[] = {{')
        print(textwrap.fill(' '.join(f'{x:.7g},' for x in logits(net, shape)[:20]), 100, initial_indent='    ',
                            subsequent_indent='    ') + '\n};')
        print(f'enum {{ {name}_numbers = {sum(p.numel() for p in net.parameters())} }};')


main()
