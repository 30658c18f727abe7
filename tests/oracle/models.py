#!/usr/bin/python3
"""Names and shapes of the model zoo as PyTorch and torchvision have them.

    python3 tests/oracle/models.py > tests/oracle/models.h       (Debian: python3-torch, python3-torchvision)
"""
import textwrap
import torch.nn as nn
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


def main():
    models = dict(lenet=lenet(), mlp=mlp(), resnet20=ResNet20(), resnet18c=resnet18c(),
                  resnet50=ResNet(Bottleneck, [3, 4, 6, 3], num_classes=1000))
    print('/* models.h - made by tests/oracle/models.py: name and shape of each parameter and buffer, in order. */')
    for name, net in models.items():
        entries = [f'"{key}~{"x".join(map(str, t.shape)) or "1"}",' for key, t in net.state_dict().items()]
        print(f'static const char *const {name}_state[] = {{')
        print(textwrap.fill(' '.join(entries), 120, initial_indent='    ', subsequent_indent='    ').replace('~', ' '))
        print('    0\n};')
        print(f'enum {{ {name}_numbers = {sum(p.numel() for p in net.parameters())} }};')


main()
