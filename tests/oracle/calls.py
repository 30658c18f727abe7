"""Calls of public operators: products, windows, element-wise operators, shapes.

A call is a class: draw(rng) makes a dict of parameters, `inputs` says what they mean, f computes the result in double from
tensors in tilegrad's layouts, and limits returns the bounds of the result and of the gradients (in the order of inputs)."""
import torch
from torch.nn import functional as F

from bounds import B, U, bound
from draw import MOST_ELEMENTS, MOST_PRODUCTS, SIZES, SMALL, Invalid, broadcast, count, shape, want

ALL = {}
NOTHING, GRADIENT, NUMBERS = 0, 1, 2


def register(cls):
    ALL[cls.name] = cls()
    return cls


class In:
    """role: x (of the case's dtype), f32, i64, i32, u8, none.  fill: data (the case's), unit, positive, a number of classes."""

    def __init__(self, dims, role="x", fill="data", use=GRADIENT):
        self.dims, self.role, self.fill, self.use = list(dims), role, fill, use


NONE = In([], "none", use=NOTHING)


def maybe(present, tensor):
    return tensor if present else NONE


class Call:
    fills = ("unit", "normal", "wide")
    train, differentiable = True, True
    parts = ()                                       # names of the functions in ops.h that it calls
    weight = 1                                       # relative frequency

    def y_dtype(self, p):
        return p["dtype"]

    def attributes(self, p):
        return []

    def half(self, p):
        return p["dtype"] == "bf16"

    def poisons(self, p):
        """A NaN in the first input must propagate exactly as in PyTorch."""
        return False


def nchw(t):
    return t.permute(0, 3, 1, 2)


def nhwc(t):
    return t.permute(0, 2, 3, 1)


def by_magnitudes(f, xs, gy, wanted):
    """f of the magnitudes, and its gradients for |gy|: the sums of the magnitudes of all terms, if f only adds products."""
    xs = [None if x is None else x.detach().abs().requires_grad_(x.requires_grad) for x in xs]
    y = f(xs)
    grads = torch.autograd.grad(y, [xs[k] for k in wanted], gy.abs(), allow_unused=True) if wanted else []
    return [y.detach()] + [torch.zeros_like(xs[k]) if g is None else g for k, g in zip(wanted, grads)]


class Sums(Call):
    """Sums of products: magnitudes come from f itself.  terms(p): of the result and of each gradient; rounds: how many times
    each passes through bf16."""
    rounds = (1, 2, 2, 2, 2)

    def poisons(self, p):
        return True

    def magnitudes(self, p, xs):
        return self.f(p, xs)

    def limits(self, p, xs, y, gy, wants, wanted):
        sums = by_magnitudes(lambda a: self.magnitudes(p, a), xs, gy, wanted)
        rounds = [self.rounds[0]] + [self.rounds[1 + k] for k in wanted]
        terms = self.terms(p, xs, y)
        terms = [terms[0]] + [terms[1 + k] for k in wanted]
        return [bound(w, n, s, r if self.half(p) else 0) for w, n, s, r in zip(wants, terms, sums, rounds)]


# ---- convolutions ----

def draw_window(rng, p, transposed=False):
    for i in "hw":
        p["k" + i] = rng.choice((1, 1, 1, 2, 3, 3, 3, 4, 5, 7))
        p["s" + i] = rng.choice((1, 1, 1, 2, 2, 3, 5))
        p["d" + i] = rng.choice((1, 2, 3) if transposed else (1, 1, 1, 2, 3))
        p["p" + i] = rng.choice((0, rng.randint(0, p["k" + i]), p["k" + i] // 2, p["k" + i] + 1))
        p[i] = rng.choice((1, 2, 3, 5, 7, 8, 13, 14, 15, 16, 17, 20, 31, 33))
        p["o" + i] = rng.randrange(max(p["s" + i], p["d" + i])) if transposed and rng.random() < 0.6 else 0
    if rng.random() < 0.4:
        p.update({a + "w": p[a + "h"] for a in "ksdpo"})
        p["w"] = p["h"]


def draw_channels(rng, p):
    kind = rng.random()
    p["groups"], p["in"], p["out"] = 1, rng.choice(SIZES), rng.choice(SIZES)
    if kind < 0.2:
        p["groups"], p["in"], p["out"] = rng.choice(SIZES), 1, rng.choice((1, 1, 1, 2))
    elif kind < 0.4:
        p["groups"], p["in"], p["out"] = rng.choice((2, 3, 4, 8)), rng.choice((1, 2, 3, 8, 16, 17)), rng.choice((1, 2, 5, 16))


class Convolution(Sums):
    rounds = (1, 1, 0, 0)
    transposed, weight, parts = False, 6, ("conv2d",)

    def draw(self, rng):
        p = {"n": rng.choice((1, 1, 2, 3, 5)), "bias": rng.random() < 0.5}
        draw_channels(rng, p)
        draw_window(rng, p, self.transposed)
        return p

    def attributes(self, p):
        return [p[a + i] for a in "spd" for i in "hw"] + [p["groups"]]

    def inputs(self, p):
        want(all(p[i] >= 1 for i in ("n", "h", "w", "in", "out", "groups", "kh", "kw", "sh", "sw", "dh", "dw")))
        g = p["groups"]
        x, w = [p["n"], p["h"], p["w"], g * p["in"]], [g * p["out"], p["kh"], p["kw"], p["in"]]
        want(count(x) <= MOST_ELEMENTS and p["n"] * p["h"] * p["w"] * count(w) <= MOST_PRODUCTS)
        return [In(x), In(w), maybe(p["bias"], In([g * p["out"]], "f32"))]

    def windows(self, p):
        return {"stride": (p["sh"], p["sw"]), "padding": (p["ph"], p["pw"]), "dilation": (p["dh"], p["dw"]),
                "groups": p["groups"]}

    def f(self, p, xs):
        y = F.conv2d(nchw(xs[0]), nchw(xs[1]), xs[2], **self.windows(p))
        want(count(y.shape) <= MOST_ELEMENTS)
        return nhwc(y)

    def terms(self, p, xs, y):
        taps = p["kh"] * p["kw"]
        pixels = max(y.shape[0] * y.shape[1] * y.shape[2], p["n"] * p["h"] * p["w"])
        return taps * p["in"] + 1, taps * p["out"], pixels, pixels

    def winograd(self, p):
        return p["groups"] == 1 and [p[a + i] for a in "ksd" for i in "hw"] == [3, 3, 1, 1, 1, 1]

    def poisons(self, p):
        return not self.winograd(p)

    def limits(self, p, xs, y, gy, wants, wanted):
        """Winograd's algorithm sums transformed operands, which mix a whole tile: twice the largest sum over tiles."""
        limits = super().limits(p, xs, y, gy, wants, wanted)
        return [e + 2 * e.max() * (8 if k == 2 else 1) for k, e in enumerate(limits)] if self.winograd(p) else limits


@register
class Conv2d(Convolution):
    name = "conv2d"


@register
class ConvTranspose2d(Convolution):
    name, transposed, parts = "conv_transpose2d", True, ("conv_transpose2d",)

    def attributes(self, p):
        return super().attributes(p) + [p["oh"], p["ow"]]

    def inputs(self, p):
        x, w, _ = super().inputs(p)
        w = In([p["groups"] * p["in"], p["kh"], p["kw"], p["out"]])
        want(all(p["o" + i] < max(p["s" + i], p["d" + i]) for i in "hw"))
        return [x, w, maybe(p["bias"], In([p["groups"] * p["out"]], "f32"))]

    def f(self, p, xs):
        y = F.conv_transpose2d(nchw(xs[0]), nchw(xs[1]), xs[2], output_padding=(p["oh"], p["ow"]), **self.windows(p))
        want(count(y.shape) <= MOST_ELEMENTS)
        return nhwc(y)


def relu_limits(call, p, xs, gy, wants, wanted):
    """For relu(f(x)).  Where |f| is below its error bound, the gradient may pass or not."""
    pre = call.inner(p, xs)
    y_limit = call.pre_limits(p, xs, pre, gy, [pre.detach()], [])[0]
    masked, doubtful = gy * (pre.detach() > 0), gy * (pre.detach().abs() <= y_limit)
    limits = call.pre_limits(p, xs, pre, masked, wants, wanted)
    if doubtful.any() and wanted:
        passing = call.passing(p, xs, doubtful, wanted)
        limits = limits[:1] + [a + b for a, b in zip(limits[1:], passing)]
    return [y_limit + (B * wants[0].abs() if call.half(p) else 0)] + limits[1:]


class Relu:
    """A mix-in for sums: relu follows, in one call if it can be fused."""

    def poisons(self, p):
        return False

    def inner(self, p, xs):
        return super().f(p, xs)

    def f(self, p, xs):
        return torch.relu(self.inner(p, xs))

    def magnitudes(self, p, xs):
        return self.inner(p, xs)

    def pre_limits(self, *arguments):
        return super().limits(*arguments)

    def passing(self, p, xs, gy, wanted):
        return by_magnitudes(lambda a: self.magnitudes(p, a), xs, gy, wanted)[1:]

    def limits(self, p, xs, y, gy, wants, wanted):
        return relu_limits(self, p, xs, gy, wants, wanted)


@register
class Conv2dRelu(Relu, Conv2d):
    name = "conv2d_relu"
    parts = ("conv2d", "relu")


# ---- matrix products ----

@register
class Linear(Sums):
    name, parts, rounds, weight = "linear", ("linear",), (1, 1, 0, 0), 3

    def draw(self, rng):
        return {"lead": shape(rng, 1, 3), "in": rng.choice(SIZES), "out": rng.choice(SIZES), "bias": rng.random() < 0.5}

    def inputs(self, p):
        want(min([p["in"], p["out"], *p["lead"]]) >= 1 and count(p["lead"]) * p["in"] * p["out"] <= MOST_PRODUCTS)
        return [In(p["lead"] + [p["in"]]), In([p["out"], p["in"]]), maybe(p["bias"], In([p["out"]], "f32"))]

    def f(self, p, xs):
        return F.linear(xs[0], xs[1], xs[2])

    def terms(self, p, xs, y):
        return p["in"] + 1, p["out"], count(p["lead"]), count(p["lead"])


@register
class LinearRelu(Relu, Linear):
    name, parts = "linear_relu", ("linear", "relu")


@register
class Matmul(Sums):
    name, parts, weight = "matmul", ("matmul", "matmul_with"), 6

    def draw(self, rng):
        lead = shape(rng, 0, 3)
        return {"a": broadcast(rng, lead), "b": broadcast(rng, lead), "ta": rng.random() < 0.5, "tb": rng.random() < 0.5,
                "m": rng.choice(SIZES), "k": rng.choice(SIZES), "n": rng.choice(SIZES)}

    def attributes(self, p):
        return [int(p["ta"]), int(p["tb"])]

    def inputs(self, p):
        m, k, n = p["m"], p["k"], p["n"]
        want(min([m, k, n, *p["a"], *p["b"]]) >= 1)
        try:
            lead = torch.broadcast_shapes(p["a"], p["b"])
        except RuntimeError:
            raise Invalid
        want(count(lead) * m * k * n <= MOST_PRODUCTS and count(lead) * m * n <= MOST_ELEMENTS)
        return [In(p["a"] + ([k, m] if p["ta"] else [m, k])), In(p["b"] + ([n, k] if p["tb"] else [k, n]))]

    def f(self, p, xs):
        a, b = (x.transpose(-1, -2) if t else x for x, t in zip(xs, (p["ta"], p["tb"])))
        return torch.matmul(a, b)

    def terms(self, p, xs, y):
        matrices = count(y.shape[:-2])
        return p["k"], p["n"] * matrices, p["m"] * matrices


# ---- pooling, resizing ----

class Pool(Sums):
    def draw(self, rng):
        p = {"n": rng.choice((1, 2, 3)), "c": rng.choice(SIZES), "exclude": rng.random() < 0.5}
        for i in "hw":
            p["k" + i] = rng.choice((1, 2, 2, 3, 3, 5, 17))
            p["s" + i] = rng.choice((0, 1, 2, 3, 5))
            p["p" + i] = rng.randint(0, p["k" + i] // 2)
            p[i] = rng.choice((1, 2, 3, 5, 7, 8, 13, 16, 17, 20))
        return p

    def attributes(self, p):
        return [p[a + i] for a in "ksp" for i in "hw"] + [int(p["exclude"])]

    def inputs(self, p):
        want(min(p[a] for a in ("n", "c", "h", "w", "kh", "kw")) >= 1 and all(2 * p["p" + i] <= p["k" + i] for i in "hw"))
        want(all(p[i] + 2 * p["p" + i] >= p["k" + i] for i in "hw"))
        return [In([p["n"], p["h"], p["w"], p["c"]])]

    def stride(self, p):
        return tuple(p["s" + i] or p["k" + i] for i in "hw")

    def terms(self, p, xs, y):
        return p["kh"] * p["kw"], p["kh"] * p["kw"]


@register
class AvgPool2d(Pool):
    name, parts = "avg_pool2d", ("avg_pool2d",)

    def f(self, p, xs):
        return nhwc(F.avg_pool2d(nchw(xs[0]), (p["kh"], p["kw"]), self.stride(p), (p["ph"], p["pw"]),
                                 count_include_pad=not p["exclude"]))


@register
class MaxPool2d(Pool):
    name, parts = "max_pool2d", ("max_pool2d",)
    fills = ("unit", "ties", "wide")

    def poisons(self, p):
        return False

    def f(self, p, xs):
        return nhwc(F.max_pool2d(nchw(xs[0]).contiguous(), (p["kh"], p["kw"]), self.stride(p), (p["ph"], p["pw"])))

    def limits(self, p, xs, y, gy, wants, wanted):
        """The result is one of the inputs; the gradient's magnitudes are those of |gy|, by the same selection."""
        g = torch.autograd.grad(self.f(p, xs), xs[:1], gy.abs())[0]
        return [0 * wants[0], bound(wants[1], self.terms(p, xs, y)[1], g, 2 * self.half(p))]


@register
class ReluMaxPool2d(MaxPool2d):
    name, parts = "relu_max_pool2d", ("relu", "max_pool2d")

    def f(self, p, xs):
        return super().f(p, [torch.relu(xs[0])])


class Resize(Sums):
    def draw(self, rng):
        sizes = (1, 2, 3, 5, 7, 8, 13, 16, 17)
        return {"n": rng.choice((1, 2, 3)), "c": rng.choice(SIZES), "h": rng.choice(sizes), "w": rng.choice(sizes),
                "oh": rng.choice(sizes), "ow": rng.choice(sizes), "bilinear": rng.random() < 0.6, "align": rng.random() < 0.5}

    def inputs(self, p):
        want(min(p[a] for a in ("n", "c", "h", "w", "oh", "ow")) >= 1)
        return [In([p["n"], p["h"], p["w"], p["c"]])]

    def terms(self, p, xs, y):
        most = (p["h"] + p["oh"] + 4) * (p["w"] + p["ow"] + 4)
        return most, most


@register
class AdaptiveAvgPool2d(Resize):
    name, parts = "adaptive_avg_pool2d", ("adaptive_avg_pool2d",)

    def attributes(self, p):
        return [p["oh"], p["ow"]]

    def f(self, p, xs):
        return nhwc(F.adaptive_avg_pool2d(nchw(xs[0]), (p["oh"], p["ow"])))


@register
class Upsample(Resize):
    name, parts = "upsample", ("upsample",)

    def poisons(self, p):
        return False

    def attributes(self, p):
        return [p["oh"], p["ow"], int(p["bilinear"]), int(p["bilinear"] and p["align"])]

    def limits(self, *arguments):
        """Both compute positions in the image in double: a weight of 0 may become 2^-50."""
        return [e + 2.0 ** -24 * e.max() for e in super().limits(*arguments)]

    def f(self, p, xs):
        if p["bilinear"]:
            return nhwc(F.interpolate(nchw(xs[0]), (p["oh"], p["ow"]), mode="bilinear", align_corners=p["align"]))
        lines, columns = ([i * p[a] // p["o" + a] for i in range(p["o" + a])] for a in "hw")
        return xs[0][:, lines][:, :, columns]
