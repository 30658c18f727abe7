#!/usr/bin/python3
"""Twelve steps of a small GAN: two optimizers, each with its part of one graph.

    python3 tests/oracle/gan.py > tests/oracle/gan.h       (Debian: python3-torch)

All numbers come from one formula, which tests/support/wave.c has too.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F
from formula import wave


def filled(*layers):
    net = nn.Sequential(*layers)
    with torch.no_grad():
        for i, p in enumerate(net.parameters()):
            p.copy_(wave(i + 1, p.shape, 0.5))
    return net


def loss_of(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def main():
    generator = filled(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6))
    discriminator = filled(nn.Linear(6, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    g_optim = torch.optim.Adam(generator.parameters(), 0.02, betas=(0.5, 0.999))
    d_optim = torch.optim.SGD(discriminator.parameters(), 0.1, momentum=0.9)
    print('/* gan.h - made by tests/oracle/gan.py: the losses of the discriminator and of the generator, step by step. */')
    print('static const double gan_losses[][2] = {')
    for step in range(12):
        real, z = wave(100 + step % 3, (8, 6), 1), wave(200 + step, (8, 4), 1)
        fake = generator(z)
        d_optim.zero_grad()
        d_loss = loss_of(discriminator(real), 1) + loss_of(discriminator(fake.detach()), 0)
        d_loss.backward()
        d_optim.step()
        g_optim.zero_grad()
        g_loss = loss_of(discriminator(fake), 1)
        g_loss.backward()
        g_optim.step()
        print(f'    {{ {d_loss.item():.9g}, {g_loss.item():.9g} }},')
    print('};')


main()
