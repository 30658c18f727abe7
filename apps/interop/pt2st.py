#!/usr/bin/env python3
"""Turns PyTorch's own checkpoint (.pt, .pth) into a safetensors file that tilegrad loads.

usage: pt2st.py IN.pt OUT.safetensors [--model KEY] [--optimizer KEY --kind sgd|adam|adamw]

IN.pt is a state_dict, or a dict in which --model (default: model, model_state_dict or state_dict) is one.  With --kind its
optimizer's state_dict (--optimizer; default: optimizer or optimizer_state_dict) goes along, so that tilegrad goes on
training where PyTorch stopped.  The file is opened with weights_only=True: nothing in it is executed.

An optimizer knows its parameters by number: they are taken to be the model's, in its order, without running_mean,
running_var and num_batches_tracked.  --buffers NAME... says that these are no parameters, either.  With several groups the
numbers go from group to group, and the file does not say whose they are: say --order NAME... for all of them.
"""
import argparse
import pickle
import sys

import torch

import tensor_file

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
STATES = {"sgd": ["momentum_buffer"], "adam": ["exp_avg", "exp_avg_sq"], "adamw": ["exp_avg", "exp_avg_sq"]}
SCHEDULE = {"kind": "constant", "total": "0", "warmup": "0", "every": "0", "warmup_from": "0", "gamma": "0", "lr_end": "0",
            "pct_start": "0", "div_factor": "0", "final_div_factor": "0"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--model", help="the key of the model's state_dict")
    parser.add_argument("--optimizer", help="the key of the optimizer's state_dict")
    parser.add_argument("--kind", choices=sorted(STATES), help="of the optimizer")
    parser.add_argument("--order", nargs="*", metavar="NAME", help="parameters in the optimizer's order")
    parser.add_argument("--buffers", nargs="*", default=[], metavar="NAME")
    return parser.parse_args()


def part(checkpoint, key, usual, what):
    keys = [key] if key else [name for name in usual if isinstance(checkpoint.get(name), dict)]
    if key and not isinstance(checkpoint.get(key), dict):
        sys.exit(f"pt2st.py: there is no '{key}' in the file: it has {', '.join(map(str, checkpoint))}")
    if not keys and what == "optimizer":
        sys.exit(f"pt2st.py: no optimizer in the file: it has {', '.join(map(str, checkpoint))}; say --optimizer KEY")
    return checkpoint[keys[0]] if keys else checkpoint


def number(value):
    return repr(float(torch.tensor(float(value), dtype=torch.float32)))


def options(kind, group):
    if kind == "sgd":
        return {"momentum": number(group["momentum"]), "dampening": number(group["dampening"]),
                "nesterov": "true" if group["nesterov"] else "false"}
    return {"beta1": number(group["betas"][0]), "beta2": number(group["betas"][1]), "eps": number(group["eps"])}


def refuse_options(kind, groups):
    for group in groups:
        for option in ("amsgrad", "maximize"):
            if group.get(option):
                sys.exit(f"pt2st.py: the optimizer has {option}, which tilegrad does not")
        if options(kind, group) != options(kind, groups[0]):
            sys.exit("pt2st.py: its groups differ in more than lr and weight_decay")


def optimizer_parts(state, kind, names, shapes):
    groups = state["param_groups"]
    refuse_options(kind, groups)
    order = [i for group in groups for i in group["params"]]
    if len(order) != len(names) or sorted(order) != list(range(len(names))):
        sys.exit(f"pt2st.py: the optimizer has {len(order)} parameters, the model {len(names)}: say --buffers")
    lr = groups[0]["lr"]
    meta = {"kind": kind, "lr": number(lr), "clip_norm": "0", "clip_value": "0", "groups": str(len(groups)),
            **options(kind, groups[0]), **{f"schedule/{key}": value for key, value in SCHEDULE.items()}}
    for i, group in enumerate(groups):
        if len(groups) > 1:
            meta.update({f"group_of/{names[k]}": str(i) for k in group["params"]})
        meta[f"group/{i}/lr_scale"] = number(group["lr"] / lr)
        meta[f"group/{i}/weight_decay"] = number(group["weight_decay"])
    tensors, most = {}, 0
    for i in order:
        name, of_param = names[i], state["state"].get(i, {})
        steps = int(of_param["step"]) if "step" in of_param else int(bool(of_param))
        meta[f"steps/{name}"] = str(steps)
        most = max(most, steps)
        for key in STATES[kind]:
            if of_param.get(key) is None:
                continue
            if of_param[key].shape != shapes[name]:
                sys.exit(f"pt2st.py: {key} of parameter {i} is {list(of_param[key].shape)}, {name} is "
                         f"{list(shapes[name])}: say --buffers")
            tensors[f"optim/{key}/{name}"] = of_param[key].float()
    meta["steps"] = str(most)
    return tensors, {f"optim/{key}": value for key, value in meta.items()}


def main():
    o = arguments()
    try:
        checkpoint = tensor_file.load_pt(o.input)
    except (pickle.UnpicklingError, RuntimeError, OSError) as error:
        sys.exit(f"pt2st.py: {o.input}: {error}")
    model = part(checkpoint, o.model, ("model", "model_state_dict", "state_dict"), "model")
    tensors = {name: t for name, t in model.items() if isinstance(t, torch.Tensor)}
    if not tensors:
        sys.exit(f"pt2st.py: no tensors in {o.input}: it has {', '.join(map(str, model))}")
    meta = {}
    if o.kind:
        names = o.order or [n for n in tensors if n.rsplit(".", 1)[-1] not in BUFFERS and n not in o.buffers]
        state = part(checkpoint, o.optimizer, ("optimizer", "optimizer_state_dict"), "optimizer")
        more, meta = optimizer_parts(state, o.kind, names, {name: t.shape for name, t in tensors.items()})
        tensors = {**tensors, **more}
        meta.update({"random/seed": "0", "random/counter": "0"})
    tensor_file.save(o.output, tensors, meta)
    print(f"{o.output}: {len(tensors)} tensors")


if __name__ == "__main__":
    main()
