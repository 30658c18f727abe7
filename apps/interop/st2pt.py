#!/usr/bin/env python3
"""Converts a safetensors file, from tilegrad or elsewhere, to PyTorch's own format.

usage: st2pt.py IN.safetensors OUT.pt

A file of weights becomes a state_dict; a checkpoint with an optimizer becomes {"model": ..., "optimizer": ..., "metadata":
...}, for load_state_dict of a model and of its optimizer.  Parameters are numbered group by group, within a group in the file's
order, which is the model's.
"""
import argparse
import sys

import torch

import tensor_file

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def options(meta):
    kind = meta["optim/kind"]
    if kind == "sgd":
        return {"momentum": float(meta["optim/momentum"]), "dampening": float(meta["optim/dampening"]),
                "nesterov": meta["optim/nesterov"] == "true", "maximize": False, "foreach": None, "differentiable": False}
    beta1, beta2, eps = (float(meta[f"optim/{name}"]) for name in ("beta1", "beta2", "eps"))
    if "tilegrad.format" in meta and "optim/format" not in meta:         # format 1, in which 0 is the default
        beta1, beta2, eps = beta1 or 0.9, beta2 or 0.999, eps or 1e-8
    return {"betas": (beta1, beta2), "eps": eps, "amsgrad": False, "maximize": False,
            "foreach": None, "capturable": False, "differentiable": False, "fused": None}


def in_groups(meta, names):
    """The names, group by group: PyTorch numbers parameters in this order."""
    groups = [[] for _ in range(int(meta["optim/groups"]))]
    for name in names:
        groups[int(meta.get(f"optim/group_of/{name}", "0"))].append(name)
    return groups


def param_groups(meta, groups):
    out, first = [], 0
    for i, names in enumerate(groups):
        lr = float(meta["optim/lr"]) * float(meta[f"optim/group/{i}/lr_scale"])
        out.append({"lr": lr, "weight_decay": float(meta[f"optim/group/{i}/weight_decay"]), **options(meta),
                    "params": list(range(first, first + len(names)))})
        first += len(names)
    return out


def optimizer(tensors, meta, names):
    state, groups = {}, in_groups(meta, names)
    for i, name in enumerate(name for group in groups for name in group):
        of_param = {key[len("optim/"):-len(name) - 1]: t for key, t in tensors.items()
                    if key.startswith("optim/") and key.endswith("/" + name)}
        if of_param and meta["optim/kind"] != "sgd":
            of_param["step"] = torch.tensor(float(meta[f"optim/steps/{name}"]))
        if of_param:
            state[i] = of_param
    return {"state": state, "param_groups": param_groups(meta, groups)}


def convert():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("input")
    parser.add_argument("output")
    o = parser.parse_args()
    tensors, meta = tensor_file.load(o.input)
    model = {name: t for name, t in tensors.items() if "/" not in name}
    what = model
    if "optim/kind" in meta:
        names = [name for name in model if name.rsplit(".", 1)[-1] not in BUFFERS]
        what = {"model": model, "optimizer": optimizer(tensors, meta, names), "metadata": meta}
    with tensor_file.replacing(o.output) as file:
        torch.save(what, file)
    print(f"{o.output}: {len(model)} tensors of the model" + (", its optimizer" if "optim/kind" in meta else ""))


def main():
    try:
        convert()
    except (tensor_file.Refused, ValueError, KeyError, OSError) as error:
        sys.exit(f"st2pt.py: {error!r}" if isinstance(error, KeyError) else f"st2pt.py: {error}")


if __name__ == "__main__":
    main()
