#!/usr/bin/env python3
"""Converts a PyTorch checkpoint (.pt, .pth) to a safetensors file that tilegrad loads.

usage: pt2st.py IN.pt OUT.safetensors [--model KEY] [--optimizer KEY --kind sgd|adam|adamw]

IN.pt is a state_dict, or a dict that contains one under --model (default: model, model_state_dict or state_dict).  With --kind,
the optimizer's state_dict (--optimizer; default: optimizer or optimizer_state_dict) is converted too, so that tilegrad resumes
training where PyTorch stopped.  The file is opened with weights_only=True: nothing in it is executed.

Optimizers number their parameters: the numbers are taken to follow the model's order, without running_mean, running_var and
num_batches_tracked.  --buffers NAME... lists more names that aren't parameters.  With several groups, numbers continue from
group to group, and the file doesn't name the parameters: list them all with --order NAME...
"""
import argparse
import sys

import torch

import tensor_file
from tensor_file import Refused

BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
STATES = {"sgd": ["momentum_buffer"], "adam": ["exp_avg", "exp_avg_sq"], "adamw": ["exp_avg", "exp_avg_sq"]}
SCHEDULE = {"kind": "constant", "total": "0", "warmup": "0", "every": "0", "warmup_from": "0", "gamma": "0", "lr_end": "0",
            "pct_start": "0.3", "div_factor": "25", "final_div_factor": "10000"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--model", help="the key of the model's state_dict")
    parser.add_argument("--optimizer", help="the key of the optimizer's state_dict")
    parser.add_argument("--kind", choices=sorted(STATES), help="kind of the optimizer")
    parser.add_argument("--order", nargs="*", metavar="NAME", help="parameters in the optimizer's order")
    parser.add_argument("--buffers", nargs="*", default=[], metavar="NAME")
    return parser.parse_args()


def keys_of(checkpoint):
    return ", ".join(map(str, list(checkpoint)[:20])) + (", ..." if len(checkpoint) > 20 else "")


def part(checkpoint, key, usual, what):
    if not isinstance(checkpoint, dict):
        raise Refused(f"the file holds a {type(checkpoint).__name__}, want a state_dict or a dict in which one is")
    keys = [key] if key else [name for name in usual if isinstance(checkpoint.get(name), dict)]
    if key and not isinstance(checkpoint.get(key), dict):
        raise Refused(f"there is no '{key}' in the file: it has {keys_of(checkpoint)}")
    if not keys and what == "optimizer":
        raise Refused(f"no optimizer in the file: it has {keys_of(checkpoint)}; say --optimizer KEY")
    return checkpoint[keys[0]] if keys else checkpoint


def number(value):
    return repr(float(torch.tensor(float(value), dtype=torch.float32)))


def exactly(value):
    return repr(float(value))


def options(kind, group):
    if kind == "sgd":
        return {"momentum": number(group["momentum"]), "dampening": number(group["dampening"]),
                "nesterov": "true" if group.get("nesterov") else "false"}
    return {"beta1": exactly(group["betas"][0]), "beta2": exactly(group["betas"][1]), "eps": exactly(group["eps"])}


def kinds_of(group):
    """The kinds that fit a group's options.  Newer versions of PyTorch distinguish AdamW from Adam."""
    if "betas" in group and "eps" in group:
        decoupled = group.get("decoupled_weight_decay")
        return ["adam", "adamw"] if decoupled is None else ["adamw" if decoupled else "adam"]
    return ["sgd"] if "momentum" in group and "dampening" in group else []


def check_groups(state, kind):
    groups = state.get("param_groups")
    if not isinstance(groups, list) or not groups or not isinstance(state.get("state"), dict):
        raise Refused(f"no optimizer's state_dict: it has {keys_of(state)}, want state and param_groups")
    kinds = kinds_of(groups[0])
    if kind not in kinds:
        why = f"its options are {keys_of(groups[0])}, and tilegrad has {', '.join(sorted(STATES))}"
        raise Refused(f"the optimizer is not {kind}: " +
                      (f"its options are those of {' or '.join(kinds)} (--kind)" if kinds else why))
    for group in groups:
        lacking = [key for key in ("params", "lr", "weight_decay") if key not in group]
        if lacking:
            raise Refused(f"the optimizer's groups lack {', '.join(lacking)}")
        for option in ("amsgrad", "maximize"):
            if group.get(option):
                raise Refused(f"the optimizer has {option}, which tilegrad does not")
        if kinds_of(group) != kinds or options(kind, group) != options(kind, groups[0]):
            raise Refused("its groups differ in more than lr and weight_decay")
    return groups


def parameters(groups, names, given):
    """The optimizer's parameter numbers in its order; there must be one for each name."""
    order = [i for group in groups for i in group["params"]]
    if sorted(order) != list(range(len(order))):
        raise Refused("the optimizer's parameters are not numbered from 0 on")
    if len(order) < len(names):
        raise Refused(f"the optimizer has {len(order)} parameters, the model {len(names)}: " + (
            "--order names too many" if given else "say --order NAME... for those it trains, or --buffers NAME... for those "
            "that are none (tilegrad's optimizer has to be made of the same ones)"))
    if len(order) > len(names):
        raise Refused(f"the optimizer has {len(order)} parameters, " +
                      (f"--order names {len(names)}" if given else f"the model {len(names)}"))
    return order


def group_numbers(groups, names):
    """Learning rates are the first group's (if that is 0, the largest), times a scale: 0 for a frozen group."""
    lr = float(groups[0]["lr"]) or max(float(group["lr"]) for group in groups)
    meta = {"lr": number(lr), "groups": str(len(groups))}
    for i, group in enumerate(groups):
        if len(groups) > 1:
            meta.update({f"group_of/{names[k]}": str(i) for k in group["params"]})
        meta[f"group/{i}/lr_scale"] = number(float(group["lr"]) / lr if lr else 1)
        meta[f"group/{i}/weight_decay"] = number(group["weight_decay"])
    return meta


def optimizer_parts(state, kind, names, shapes, given):
    groups = check_groups(state, kind)
    order = parameters(groups, names, given)
    meta = {"kind": kind, "format": "2", "clip_norm": "0", "clip_value": "0", **group_numbers(groups, names),
            **options(kind, groups[0]), **{f"schedule/{key}": value for key, value in SCHEDULE.items()}}
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
                raise Refused(f"{key} of parameter {i} is {list(of_param[key].shape)}, {name} is {list(shapes[name])}: "
                              "say --buffers or --order")
            tensors[f"optim/{key}/{name}"] = of_param[key] if of_param[key].layout != torch.strided else of_param[key].float()
    meta["steps"] = str(most)
    return tensors, {f"optim/{key}": value for key, value in meta.items()}


def names_of(tensors, o):
    unknown = [name for name in o.order or [] if name not in tensors]
    if unknown:
        raise Refused(f"--order: the model has no {', '.join(unknown[:5])}")
    return o.order or [n for n in tensors if n.rsplit(".", 1)[-1] not in BUFFERS and n not in o.buffers]


def load(path):
    try:
        return tensor_file.load_pt(path)
    except Exception as error:                # whatever a damaged or hostile file makes of torch.load
        raise Refused(f"{path}: {error or type(error).__name__}") from error


def convert(o):
    checkpoint = load(o.input)
    model = part(checkpoint, o.model, ("model", "model_state_dict", "state_dict"), "model")
    tensors = {name: t for name, t in model.items() if isinstance(t, torch.Tensor)}
    if not tensors:
        raise Refused(f"no tensors in {o.input}: it has {keys_of(model)}")
    meta = {}
    if o.kind:
        tensor_file.check(tensors)
        state = part(checkpoint, o.optimizer, ("optimizer", "optimizer_state_dict"), "optimizer")
        more, meta = optimizer_parts(state, o.kind, names_of(tensors, o), {name: t.shape for name, t in tensors.items()},
                                     bool(o.order))
        tensors = {**tensors, **more}
        meta.update({"random/seed": "0", "random/counter": "0"})
    tensor_file.save(o.output, tensors, meta)
    print(f"{o.output}: {len(tensors)} tensors")


def main():
    o = arguments()
    try:
        convert(o)
    except (Refused, OSError) as error:
        sys.exit(f"pt2st.py: {error}")


if __name__ == "__main__":
    main()
