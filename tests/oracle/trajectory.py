#!/usr/bin/python3
"""Twenty steps of each optimizer on a small CNN with batch norm, and the loss in evaluation mode afterwards.

    python3 tests/oracle/trajectory.py > tests/oracle/trajectory.h       (Debian: python3-torch)

All numbers come from one formula, which tests/support/wave.c has too.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F
from formula import wave


def network():
    net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                        nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(),
                        nn.Linear(24, 8), nn.ReLU(), nn.Linear(8, 3))
    with torch.no_grad():
        for i, p in enumerate(net.parameters()):
            p.copy_(wave(i + 1, p.shape, 0.3))
        net[4].weight.add_(1)
    return net


def losses(make, clip=None, schedule=None):
    torch.manual_seed(0)
    net = network()
    opt, out = make(net), []
    rate = schedule(opt) if schedule else None
    for step in range(20):
        x, y = wave(100 + step % 3, (8, 2, 8, 8), 1), torch.tensor([(i * i + step % 3) % 3 for i in range(8)])
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        if clip:
            clip(net.parameters())
        opt.step()
        if rate:
            rate.step()
        out.append(loss.item())
    net.eval()
    return out + [F.cross_entropy(net(x), y).item()]


def grouped(net):
    flat = [p for p in net.parameters() if p.dim() == 1]
    rest = [p for p in net.parameters() if p.dim() > 1]
    groups = [dict(params=rest, weight_decay=0.1), dict(params=flat, weight_decay=0.0)]
    return torch.optim.SGD(groups, 0.02, momentum=0.9)


def main():
    opt = torch.optim
    cases = {
        'sgd': (lambda n: opt.SGD(n.parameters(), 0.1),),
        'sgd_decay': (lambda n: opt.SGD(n.parameters(), 0.03, weight_decay=0.1),),
        'sgd_momentum': (lambda n: opt.SGD(n.parameters(), 0.02, momentum=0.9, weight_decay=0.01),),
        'sgd_dampening': (lambda n: opt.SGD(n.parameters(), 0.03, momentum=0.8, dampening=0.3),),
        'sgd_nesterov': (lambda n: opt.SGD(n.parameters(), 0.02, momentum=0.9, weight_decay=0.02, nesterov=True),),
        'sgd_groups': (grouped,),
        'sgd_clip_norm': (lambda n: opt.SGD(n.parameters(), 0.05, momentum=0.9),
                          lambda p: nn.utils.clip_grad_norm_(p, 0.3)),
        'sgd_clip_value': (lambda n: opt.SGD(n.parameters(), 0.05, momentum=0.9),
                           lambda p: nn.utils.clip_grad_value_(p, 0.03)),
        'sgd_cosine': (lambda n: opt.SGD(n.parameters(), 0.03, momentum=0.9), None,
                       lambda o: opt.lr_scheduler.CosineAnnealingLR(o, 20)),
        'adam': (lambda n: opt.Adam(n.parameters(), 0.01),),
        'adam_decay': (lambda n: opt.Adam(n.parameters(), 0.01, betas=(0.8, 0.95), weight_decay=0.05),),
        'adam_beta1_zero': (lambda n: opt.Adam(n.parameters(), 0.01, betas=(0, 0.99)),),
        'adamw': (lambda n: opt.AdamW(n.parameters(), 0.01, weight_decay=0.3),),
    }
    print('/* trajectory.h - made by tests/oracle/trajectory.py: twenty losses, and one in evaluation mode. */')
    for name, case in cases.items():
        print(f'static const double {name}_losses[] = {{')
        out = losses(*case)
        for i in range(0, len(out), 7):
            print('    ' + ' '.join(f'{x:.9g},' for x in out[i:i + 7]))
        print('};')


main()
