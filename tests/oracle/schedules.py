#!/usr/bin/python3
"""Learning rates of PyTorch's schedulers, update by update.

    python3 tests/oracle/schedules.py > tests/oracle/schedules.h       (Debian: python3-torch)
"""
import warnings
import torch
from torch.optim import lr_scheduler as lrs


def rates(make, steps=16, lr=0.1):
    opt = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr)
    schedule, out = make(opt), []
    for _ in range(steps):
        out.append(opt.param_groups[0]['lr'])
        opt.step()
        schedule.step()
    return out


def warm(opt, after):
    return lrs.SequentialLR(opt, [lrs.LinearLR(opt, 0.25, total_iters=4), after(opt)], milestones=[4])


def main():
    warnings.simplefilter('ignore')
    cases = {
        'constant': lambda o: lrs.ConstantLR(o, factor=1.0),
        'step': lambda o: lrs.StepLR(o, 3, 0.5),
        'step_zero': lambda o: lrs.StepLR(o, 3, 0.0),
        'cosine': lambda o: lrs.CosineAnnealingLR(o, 16, 0.01),
        'warm_constant': lambda o: lrs.LinearLR(o, 0.25, total_iters=4),
        'warm_step': lambda o: warm(o, lambda p: lrs.StepLR(p, 3, 0.5)),
        'warm_cosine': lambda o: warm(o, lambda p: lrs.CosineAnnealingLR(p, 12, 0.0)),
        'one_cycle': lambda o: lrs.OneCycleLR(o, 0.1, 17, cycle_momentum=False),
        'one_cycle_set': lambda o: lrs.OneCycleLR(o, 0.1, 17, pct_start=0.5, div_factor=10, final_div_factor=100,
                                                  cycle_momentum=False),
        'one_cycle_no_rise': lambda o: lrs.OneCycleLR(o, 0.1, 17, pct_start=0.0, cycle_momentum=False),
    }
    print('/* schedules.h - made by tests/oracle/schedules.py: the learning rate of each update, from lr 0.1. */')
    for name, make in cases.items():
        print(f'static const double {name}_rates[] = {{')
        out = rates(make)
        for i in range(0, len(out), 8):
            print('    ' + ' '.join(f'{x:.9g},' for x in out[i:i + 8]))
        print('};')


main()
