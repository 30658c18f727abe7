"""Calls of public operators: element-wise operators, reductions, shapes.  See calls.py."""
import math

import torch

from bounds import bound
from calls import Call, In, Sums, register
from draw import SMALL, Invalid, broadcast, count, shape, want


# ---- two operands ----

class Binary(Sums):
    """mixed: the operand that is f32 while the other is bf16; then the result is f32."""
    first = second = "data"

    def draw(self, rng):
        dims = shape(rng)
        return {"a": broadcast(rng, dims), "b": broadcast(rng, dims), "mixed": rng.choice(("", "", "", "a", "b"))}

    def y_dtype(self, p):
        return "f32" if p["mixed"] else p["dtype"]

    def inputs(self, p):
        try:
            torch.broadcast_shapes(p["a"], p["b"])
        except RuntimeError:
            raise Invalid
        want(min(p["a"] + p["b"] + [1]) >= 1)
        role = {"": ("x", "x"), "a": ("f32", "x"), "b": ("x", "f32")}[p["mixed"]]
        return [In(p["a"], role[0], self.first), In(p["b"], role[1], self.second)]

    def terms(self, p, xs, y):
        return 2, max(1, y.numel() // xs[0].numel()) + 1, max(1, y.numel() // xs[1].numel()) + 1


def binary(name, f, magnitudes=None, second="data"):
    cls = type(name, (Binary,), {"name": name, "parts": (name,), "second": second})
    cls.f = lambda self, p, xs: f(*xs)
    if magnitudes:
        cls.magnitudes = lambda self, p, xs: magnitudes(*xs)
    register(cls)


binary("add", torch.add)
binary("sub", torch.sub, torch.add)
binary("mul", torch.mul)


@register
class Div(Binary):
    name, parts, second = "div", ("div",), "positive"

    def f(self, p, xs):
        return xs[0] / xs[1]

    def limits(self, p, xs, y, gy, wants, wanted):
        a, b = (x.detach() for x in xs)
        gs = [(gy / b).abs().sum_to_size(a.shape), (gy * a / b ** 2).abs().sum_to_size(b.shape)]
        terms, half = self.terms(p, xs, y), self.half(p)
        return [bound(wants[0], 2, wants[0].abs(), int(half))] + [
            bound(w, 3 * terms[1 + k], gs[k], 4 * half) for w, k in zip(wants[1:], wanted)]


# ---- one operand: f, the magnitudes of the terms of f and of f' ----

class Unary(Call):
    def draw(self, rng):
        return {"dims": shape(rng)}

    def inputs(self, p):
        want(min(p["dims"] + [1]) >= 1)
        return [In(p["dims"], "x", self.fill)]

    def limits(self, p, xs, y, gy, wants, wanted):
        x, half = xs[0].detach(), self.half(p)
        my, mg = self.m(x, wants[0], p)
        e = [bound(wants[0], 4, my, int(half))]
        return e + [bound(wants[1], 4, mg * gy.abs(), 3 * half)] if wanted else e


def unary(name, f, m, fill="data", draw=None, attributes=None):
    cls = type(name, (Unary,), {"name": name, "parts": (name,), "fill": fill, "fills": ("unit", "normal", "ties")})
    cls.f = lambda self, p, xs: f(xs[0], p)
    cls.m = lambda self, x, y, p: m(x, y, p)
    if draw:
        cls.draw = lambda self, rng: {**Unary.draw(self, rng), **draw(rng)}
        cls.attributes = lambda self, p: attributes(p)
    register(cls)


def density(x):
    return torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)


unary("neg", lambda x, p: -x, lambda x, y, p: (x.abs(), 1 + 0 * x))
unary("exp", lambda x, p: torch.exp(x), lambda x, y, p: (y * (1 + x.abs()), y * (1 + x.abs())))
unary("log", lambda x, p: torch.log(x), lambda x, y, p: (y.abs() + 1, 1 / x), fill="positive")
unary("sqrt", lambda x, p: torch.sqrt(x), lambda x, y, p: (y, 0.5 / y), fill="positive")
unary("relu", lambda x, p: torch.relu(x), lambda x, y, p: (0 * y, 0 * x))
unary("sigmoid", lambda x, p: torch.sigmoid(x), lambda x, y, p: (y * (1 + x.abs()), y + y * y))
unary("tanh", lambda x, p: torch.tanh(x), lambda x, y, p: (y.abs(), 1 + y * y))
unary("gelu", lambda x, p: x * (1 + torch.erf(x / math.sqrt(2))) / 2,
      lambda x, y, p: (x.abs(), 1 + x.abs() * density(x) * (1 + x * x)))
unary("silu", lambda x, p: x * torch.sigmoid(x), lambda x, y, p: (y.abs() * (1 + x.abs()), 1 + x.abs()))
unary("hardswish", lambda x, p: torch.where(x <= -3, 0 * x, torch.where(x >= 3, x, x * (x + 3) / 6)),
      lambda x, y, p: (x.abs() * (x.abs() + 3) / 6, (2 * x.abs() + 3) / 6))
unary("affine", lambda x, p: p["scale"] * x + p["shift"],
      lambda x, y, p: (abs(p["scale"]) * x.abs() + abs(p["shift"]), abs(p["scale"]) + 0 * x),
      draw=lambda rng: {"scale": rng.choice((0, 1, -0.5, 3)), "shift": rng.choice((0, 1, -2.5))},
      attributes=lambda p: [p["scale"], p["shift"]])
unary("pow", lambda x, p: x ** p["exponent"],
      lambda x, y, p: (y * (2 + (p["exponent"] * torch.log(x)).abs()),
                       (abs(p["exponent"]) * x ** (p["exponent"] - 1)) * (2 + (p["exponent"] * torch.log(x)).abs())),
      fill="positive", draw=lambda rng: {"exponent": rng.choice((2, 3, 0.5, -1, 1, 0, 1.7, -2))},
      attributes=lambda p: [p["exponent"]])
unary("leaky_relu", lambda x, p: torch.where(x > 0, x, p["slope"] * x), lambda x, y, p: (y.abs(), 1 + abs(p["slope"]) + 0 * x),
      draw=lambda rng: {"slope": rng.choice((0.01, 0.2, 0, 1))}, attributes=lambda p: [p["slope"]])

unary("clamp", lambda x, p: x.clamp(p["low"], p["high"]), lambda x, y, p: (0 * y, 0 * x),
      draw=lambda rng: {"low": rng.choice((-math.inf, -1, -0.5, 0)), "high": rng.choice((-0.75, 0, 0.5, 6))},
      attributes=lambda p: [p["low"], p["high"]])
unary("relu6", lambda x, p: torch.nn.functional.relu6(x), lambda x, y, p: (0 * y, 0 * x))


@register
class Detach(Unary):
    """detach(x) + x: the gradient passes through only one of them."""
    name, parts, fill = "detach", ("detach",), "data"

    def f(self, p, xs):
        return xs[0].detach() + xs[0]

    def m(self, x, y, p):
        return y.abs(), 1 + 0 * x


@register
class Dropout(Unary):
    """The driver has a special rule: kept elements are scaled, and the gradient is zero in the same places."""
    name, parts, fill = "dropout", ("dropout",), "positive"

    def draw(self, rng):
        return {**super().draw(rng), "p": rng.choice((0, 0.1, 0.5, 0.9)), "train": rng.random() < 0.8}

    def attributes(self, p):
        return [p["p"]]

    def f(self, p, xs):
        return xs[0] * 1

    def adjust(self, p, y, got):
        """The expected result, given the zeros that were drawn."""
        if not p["train"] or not p["p"]:
            return torch.ones_like(y)
        kept = (got != 0).double()
        n, q = y.numel(), 1 - p["p"]
        off = abs(float(kept.sum()) - n * q) > 6 * math.sqrt(n * q * (1 - q)) + 1
        return kept * (math.nan if off else 1 / q)

    def m(self, x, y, p):
        return y.abs(), 1 / (1 - p["p"]) + 0 * x


@register
class Cast(Unary):
    name, parts, fill = "cast", ("cast",), "data"

    def draw(self, rng):
        return {**super().draw(rng), "to": rng.choice(("f32", "bf16"))}

    def y_dtype(self, p):
        return p["to"]

    def attributes(self, p):
        return [("f32", "bf16").index(p["to"])]

    def f(self, p, xs):
        return Round.apply(xs[0]) if p["to"] == "bf16" else xs[0] * 1

    def limits(self, p, xs, y, gy, wants, wanted):
        return [0 * w for w in wants]


class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.float().bfloat16().double()

    @staticmethod
    def backward(ctx, g):
        return g


# ---- reductions ----

class Reduction(Sums):
    fills = ("unit", "normal", "mean", "wide")

    def draw(self, rng):
        dims = shape(rng, 1, 5)
        axes = sorted(rng.sample(range(len(dims)), rng.randint(0, len(dims))))
        return {"dims": dims, "axes": [a - len(dims) if rng.random() < 0.3 else a for a in axes], "keep": rng.random() < 0.5}

    def attributes(self, p):
        return [int(p["keep"])] + p["axes"]

    def inputs(self, p):
        rank = len(p["dims"])
        want(rank >= 1 and min(p["dims"]) >= 1 and all(-rank <= a < rank for a in p["axes"]))
        want(len({a % rank for a in p["axes"]}) == len(p["axes"]))
        return [In(p["dims"])]

    def axes(self, p):
        return tuple(p["axes"]) or tuple(range(len(p["dims"])))

    def terms(self, p, xs, y):
        return xs[0].numel() // y.numel(), 1


@register
class Sum(Reduction):
    name, parts = "sum", ("sum",)

    def f(self, p, xs):
        return xs[0].sum(self.axes(p), keepdim=p["keep"])


@register
class Mean(Reduction):
    name, parts = "mean", ("mean",)

    def f(self, p, xs):
        return xs[0].mean(self.axes(p), keepdim=p["keep"])


@register
class Max(Reduction):
    name, parts, fills = "max", ("max",), ("ties", "unit", "normal")

    def poisons(self, p):
        return False

    def f(self, p, xs):
        return torch.amax(xs[0], self.axes(p), keepdim=p["keep"])

    def limits(self, p, xs, y, gy, wants, wanted):
        return [0 * wants[0]] + [bound(w, 2, w.abs(), 2 * self.half(p)) for w in wants[1:]]


@register
class Argmax(Max):
    name, parts, differentiable = "argmax", ("argmax",), False

    def draw(self, rng):
        p = super().draw(rng)
        return {**p, "axes": [rng.randrange(-len(p["dims"]), len(p["dims"]))]}

    def attributes(self, p):
        want(len(p["axes"]) == 1)
        return p["axes"]

    def inputs(self, p):
        x = super().inputs(p)[0]
        x.use = 0
        return [x]

    def y_dtype(self, p):
        return "i64"

    def f(self, p, xs):
        first = (xs[0] == xs[0].amax(p["axes"][0], keepdim=True)).double()
        places = torch.arange(first.shape[p["axes"][0]], 0, -1, dtype=torch.float64)
        return (first.movedim(p["axes"][0], -1) * places).argmax(-1).double()

    def limits(self, p, xs, y, gy, wants, wanted):
        return [0 * wants[0]]


@register
class SumTo(Reduction):
    name, parts = "sum_to", ("sum_to",)

    def draw(self, rng):
        dims = shape(rng)
        return {"dims": dims, "to": broadcast(rng, dims)}

    def attributes(self, p):
        return p["to"]

    def inputs(self, p):
        want(min(p["dims"] + p["to"] + [1]) >= 1 and len(p["to"]) <= len(p["dims"]))
        tail = p["dims"][len(p["dims"]) - len(p["to"]):]
        want(all(a == b or a == 1 for a, b in zip(p["to"], tail)))
        return [In(p["dims"])]

    def f(self, p, xs):
        return xs[0].sum_to_size(p["to"])


# ---- shapes: nothing is computed, so only sums of gradients are rounded ----

class Shape(Call):
    fills = ("unit", "normal", "wide")

    def draw(self, rng):
        return {"dims": shape(rng, 1, 5)}

    def inputs(self, p):
        want(min(p["dims"] + [1]) >= 1)
        return [In(p["dims"])]

    def limits(self, p, xs, y, gy, wants, wanted):
        return [0 * w for w in wants]


@register
class Reshape(Shape):
    name, parts = "reshape", ("reshape",)

    def draw(self, rng):
        dims = shape(rng, 0, 5)
        to = [d for d in dims for d in ([d, 1] if rng.random() < 0.2 else [d])]
        if len(to) > 1:
            k = rng.randrange(len(to) - 1)
            to[k:k + 2] = [to[k] * to[k + 1]]
        if to and rng.random() < 0.5:
            to[rng.randrange(len(to))] = -1
        return {"dims": dims, "to": to}

    def attributes(self, p):
        want(len(p["to"]) <= 8)
        return p["to"]

    def f(self, p, xs):
        return xs[0].reshape(p["to"])


@register
class Flatten(Shape):
    name, parts = "flatten", ("flatten",)

    def f(self, p, xs):
        x = xs[0].permute(0, 3, 1, 2) if xs[0].dim() == 4 else xs[0]
        return x.reshape(x.shape[0], -1)


@register
class Permute(Shape):
    name, parts = "permute", ("permute",)

    def draw(self, rng):
        dims = shape(rng, 1, 5)
        return {"dims": dims, "order": rng.sample(range(len(dims)), len(dims))}

    def attributes(self, p):
        want(sorted(p["order"]) == list(range(len(p["dims"]))))
        return p["order"]

    def f(self, p, xs):
        return xs[0].permute(p["order"])


@register
class Transpose(Shape):
    name, parts = "transpose", ("transpose",)

    def draw(self, rng):
        dims = shape(rng, 1, 5)
        return {"dims": dims, "a": rng.randrange(len(dims)), "b": rng.randrange(len(dims))}

    def attributes(self, p):
        return [p["a"], p["b"]]

    def f(self, p, xs):
        return xs[0].transpose(p["a"], p["b"])


@register
class Concat(Shape):
    name, parts = "concat", ("concat",)

    def draw(self, rng):
        dims = shape(rng, 1, 4)
        sizes = [rng.choice(SMALL + (16, 17)) for _ in range(rng.randint(1, 4))]
        return {"dims": dims, "axis": rng.randrange(len(dims)), "sizes": sizes}

    def attributes(self, p):
        return [p["axis"], len(p["sizes"])]

    def inputs(self, p):
        want(1 <= len(p["sizes"]) and min(p["sizes"]) >= 1 and p["axis"] < len(p["dims"]) and min(p["dims"]) >= 1)
        return [In(p["dims"][:p["axis"]] + [n] + p["dims"][p["axis"] + 1:]) for n in p["sizes"]]

    def f(self, p, xs):
        return torch.cat(xs, p["axis"])


@register
class Slice(Shape):
    name, parts = "slice", ("slice",)

    def draw(self, rng):
        dims = shape(rng, 1, 5)
        axis = rng.randrange(len(dims))
        start = rng.randrange(dims[axis])
        return {"dims": dims, "axis": axis, "start": start, "end": rng.randint(start + 1, dims[axis])}

    def attributes(self, p):
        want(p["axis"] < len(p["dims"]) and 0 <= p["start"] < p["end"] <= p["dims"][p["axis"]])
        return [p["axis"], p["start"], p["end"]]

    def f(self, p, xs):
        return xs[0].narrow(p["axis"], p["start"], p["end"] - p["start"])


@register
class Pad(Shape):
    name, parts = "pad", ("pad",)

    def draw(self, rng):
        dims = shape(rng, 1, 5)
        before, after = ([rng.choice((0, 0, 1, most)) for _ in dims] for most in (3, 2))
        return {"dims": dims, "before": before, "after": after, "value": rng.choice((0, 1.5))}

    def attributes(self, p):
        want(len(p["before"]) == len(p["after"]) == len(p["dims"]))
        return [p["value"]] + p["before"] + p["after"]

    def f(self, p, xs):
        ends = [n for b, a in zip(reversed(p["before"]), reversed(p["after"])) for n in (b, a)]
        return torch.nn.functional.pad(xs[0], ends, value=p["value"])


@register
class Fill(Shape):
    name, parts, differentiable = "fill", ("fill",), False

    def draw(self, rng):
        return {"dims": shape(rng), "value": rng.choice((0, 1, -2.5))}

    def y_dtype(self, p):
        return "f32"

    def attributes(self, p):
        want(min(p["dims"] + [1]) >= 1)
        return [p["value"]] + p["dims"]

    def inputs(self, p):
        return []

    def f(self, p, xs):
        return torch.full(p["dims"], float(p["value"]), dtype=torch.float64)
