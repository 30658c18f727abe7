#!/usr/bin/python3
"""Losses and normalisations, with their gradients.

    python3 tests/oracle/losses.py > tests/oracle/losses.h       (Debian: python3-torch)

All numbers come from one formula, which tests/support/wave.c has too.  Arrays are in PyTorch's order of axes.
"""
import textwrap
import torch
import torch.nn.functional as F
from formula import wave

CLASSES, ROWS = 5, 6
TARGET = torch.tensor([0, 4, 2, 2, 1, 3])


def show(tensor, indent='      ', end=','):
    text = ', '.join('NAN' if x != x else f'{x:.8g}' for x in tensor.detach().flatten().tolist())
    print(textwrap.fill(f'{{ {text} }}{end}', 118, initial_indent=indent, subsequent_indent=indent + '  '))


def leaf(seed, shape, scale, shift=0.0):
    return (wave(seed, shape, scale) + shift).requires_grad_()


def cross_entropy(weighted, smoothing, ignored, reduction):
    x = leaf(1, (ROWS, CLASSES), 2)
    weight = wave(2, (CLASSES,), 0.5) + 1 if weighted else None
    target = torch.full((ROWS,), 3) if ignored == 'all' else TARGET
    index = {None: -100, 'all': 3}.get(ignored, ignored)
    loss = F.cross_entropy(x, target, weight, ignore_index=index, reduction=reduction, label_smoothing=smoothing)
    (loss * wave(3, loss.shape, 1)).sum().backward()
    print(f'    {{ {int(weighted)}, {smoothing}f, {index}, TG_{reduction.upper()}, {int(ignored == "all")},')
    show(loss)
    show(x.grad)
    print('    },')


def pointwise(name, function, scale, shift):
    x, target = leaf(4, (4, 3), 2), leaf(5, (4, 3), scale, shift)
    target.data[0, 0] = x.data[0, 0]
    for reduction in ('mean', 'sum', 'none'):
        x.grad = target.grad = None
        loss = function(x, target, reduction=reduction)
        (loss * wave(3, loss.shape, 1)).sum().backward()
        print(f'    {{ {name}, TG_{reduction.upper()},')
        for t in (loss, x.grad, target.grad):
            show(t)
        print('    },')


def batch_norm(train, added):
    x, other = leaf(6, (3, 4, 3, 2), 1), leaf(10, (3, 4, 3, 2), 1)
    gamma, beta = leaf(7, (4,), 0.5, 1), leaf(8, (4,), 0.5)
    mean, var = wave(11, (4,), 0.5), wave(12, (4,), 0.5) + 1
    y = F.batch_norm(x, mean, var, gamma, beta, training=train, momentum=0.3, eps=1e-3)
    y = F.relu(y + other if added else y)
    (y * wave(9, y.shape, 1)).sum().backward()
    print(f'    {{ {int(train)}, {int(added)},')
    for t in (y, x.grad, gamma.grad, beta.grad, other.grad if added else torch.zeros(72), mean, var):
        show(t)
    print('    },')


def layer_norm():
    x, gamma, beta = leaf(6, (4, 5, 6), 1), leaf(7, (5, 6), 0.5, 1), leaf(8, (5, 6), 0.5)
    y = F.layer_norm(x, (5, 6), gamma, beta, eps=1e-3)
    (y * wave(9, y.shape, 1)).sum().backward()
    for name, t in (('y', y), ('gx', x.grad), ('ggamma', gamma.grad), ('gbeta', beta.grad)):
        print(f'static const double layer_norm_{name}[] =')
        show(t, '    ', ';')


def main():
    print('/* losses.h - made by tests/oracle/losses.py. */')
    print('static const struct { bool weighted; float smoothing; int64_t ignored; tg_reduction reduction; bool all;')
    print(f'                      double loss[{ROWS}], gx[{ROWS * CLASSES}]; }} cross_entropies[] = {{')
    for case in ((False, 0.0, None), (True, 0.0, None), (False, 0.1, None), (True, 0.2, None), (False, 0.0, 2),
                 (True, 0.0, 2), (False, 0.1, 2), (True, 0.2, 2), (False, 0.0, 'all'), (True, 0.2, 'all')):
        for reduction in ('mean', 'sum', 'none'):
            cross_entropy(*case, reduction)
    print('};')
    print('static const struct { loss_function loss; tg_reduction reduction; double value[12], gx[12], gtarget[12];')
    print('} pointwise[] = {')
    pointwise('tg_mse', F.mse_loss, 1, 0)
    pointwise('tg_l1', F.l1_loss, 1, 0)
    pointwise('tg_bce_with_logits', F.binary_cross_entropy_with_logits, 0.5, 0.5)
    print('};')
    print('static const struct { bool train, added; double y[72], gx[72], ggamma[4], gbeta[4], gother[72], mean[4];')
    print('                      double var[4]; } batch_norms[] = {')
    for train in (True, False):
        for added in (True, False):
            batch_norm(train, added)
    print('};')
    layer_norm()


main()
