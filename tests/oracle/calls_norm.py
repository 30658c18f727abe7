"""Calls of public operators: normalisation, softmax, losses.  See calls.py."""
import math

import torch
from torch.nn import functional as F

from bounds import B, TINY, U, bound
from calls import NONE, NUMBERS, Call, In, maybe, nchw, nhwc, register
from draw import SIZES, SMALL, count, shape, want


# ---- normalisation ----

class Moments:
    """x minus its mean over `axes`: the batch's, or a given one."""

    def __init__(self, x, axes, eps, mean=None, var=None):
        self.axes, self.n = axes, count([x.shape[a] for a in axes])
        self.mean = x.mean(axes, keepdim=True) if mean is None else mean
        self.dev = x - self.mean
        self.var = (self.dev ** 2).mean(axes, keepdim=True) if var is None else var
        self.rstd = (self.var + eps) ** -0.5
        self.hat = self.dev * self.rstd


def norm_limits(call, p, m, gamma, beta, gy, wants, wanted, off, of_batch, over):
    """A mean is off by the error of its sum of deviations, and by `off`; over: the axes that gradients of gamma and beta sum over."""
    half, k = call.half(p), 4 * math.sqrt(m.n) * U
    e_hat = k * (m.hat.abs() + m.hat.abs().mean(m.axes, keepdim=True)) + off * m.rstd
    g = (gy * gamma).abs()
    y = e_hat * gamma.abs() + k * ((m.hat * gamma).abs() + beta.abs()) + TINY
    y = y + B * (wants[0].abs() + y) if half else y
    gx, e_gx = g * m.rstd, 0
    if of_batch:
        mean_g, mean_gx = g.mean(m.axes, keepdim=True), (g * m.hat.abs()).mean(m.axes, keepdim=True)
        gx = (g + mean_g + m.hat.abs() * mean_gx) * m.rstd
        e_gx = (e_hat * mean_gx + m.hat.abs() * (g * e_hat).mean(m.axes, keepdim=True)) * m.rstd
    gx = k * gx + e_gx + (2 * B * gx if half else 0) + TINY
    rows = math.sqrt(count([gy.shape[a] for a in over]))
    sums = [(gy * m.hat).abs(), gy.abs()]
    ggamma = (4 * rows * U * sums[0] + gy.abs() * e_hat).sum(over) + TINY
    gbeta = (4 * rows * U * sums[1]).sum(over) + TINY
    every = {0: gx, 1: ggamma, 2: gbeta}
    return [y] + [every[j] for j in wanted]


@register
class BatchNorm2d(Call):
    name, parts = "batch_norm2d", ("batch_norm2d",)
    fills = ("unit", "normal", "mean")

    def draw(self, rng):
        return {"n": rng.choice(SMALL), "h": rng.choice(SMALL), "w": rng.choice(SMALL), "c": rng.choice(SIZES),
                "mode": rng.choice(("train", "train", "rest", "untracked")), "eps": rng.choice((0, 1e-3)),
                "momentum": rng.choice((0, 0.5, 1))}

    def attributes(self, p):
        return [p["eps"], p["momentum"]]

    def inputs(self, p):
        want(min(p[a] for a in "nhwc") >= 1 and (p["mode"] == "rest" or p["n"] * p["h"] * p["w"] > 1))
        p["train"], c = p["mode"] != "rest", [p["c"]]
        running = NONE if p["mode"] == "untracked" else In(c, "f32", "unit", NUMBERS if p["mode"] == "train" else 0)
        variance = NONE if p["mode"] == "untracked" else In(c, "f32", "positive", running.use)
        return [In([p["n"], p["h"], p["w"], p["c"]]), In(c, "f32", "unit"), In(c, "f32", "unit"), running, variance]

    def norm(self, p, xs):
        momentum = p["momentum"] or 0.1
        running = [None if t is None else t.clone() for t in xs[3:5]]
        y = nhwc(F.batch_norm(nchw(xs[0]), *running, xs[1], xs[2], p["train"], momentum, p["eps"] or 1e-5))
        return y, running if p["mode"] == "train" else []

    f = norm

    def moments(self, p, xs):
        x = xs[0].detach()
        rest = xs[3:5] if p["mode"] == "rest" else (None, None)
        return Moments(x, (0, 1, 2), p["eps"] or 1e-5, *rest)

    def limits(self, p, xs, y, gy, wants, wanted):
        m = self.moments(p, xs)
        gamma, beta = xs[1].detach(), xs[2].detach()
        off = U * m.mean.abs()                                       # stored in FP32
        inner, of_batch = [k for k in wanted if k < 3], p["mode"] != "rest"
        limits = norm_limits(self, p, m, gamma, beta, gy, wants, inner, off, of_batch, (0, 1, 2))
        if p["mode"] == "train":
            k, unbiased = 4 * math.sqrt(m.n) * U, m.var.reshape(-1) * m.n / (m.n - 1)
            limits.append(k * (xs[3].abs() + m.dev.abs().mean((0, 1, 2))) + 4 * U * m.mean.abs().reshape(-1) + TINY)
            limits.append(k * (xs[4].abs() + unbiased) + TINY)
        return limits


class NormRelu(BatchNorm2d):
    """relu follows.  Where its input is within the error bound of 0, the gradient may pass or not."""

    def before(self, p, xs):
        return self.norm(p, xs)[0]

    def f(self, p, xs):
        y, running = self.norm(p, xs)
        return torch.relu(self.before(p, xs)), running

    def limits(self, p, xs, y, gy, wants, wanted):
        pre, norm = self.before(p, xs).detach(), self.norm(p, xs)[0].detach()
        first = super().limits({**p, "dtype": "f32"}, xs, y, gy, [norm], wanted)[0]
        half = self.half(p)
        y_limit = first + U * pre.abs() + (B * (norm.abs() + first) if half and len(xs) > 5 else 0)
        doubt, masked = gy * (pre.abs() <= y_limit), gy * (pre > 0)
        limits = super().limits(p, xs, y, masked, [norm, *wants[1:]], wanted)
        passing = super().limits(p, xs, y, doubt, [norm, *wants[1:]], wanted)
        m = self.moments(p, xs)
        magnitude = (doubt * xs[1].detach()).abs() * m.rstd
        means = [(magnitude * h).mean(m.axes, keepdim=True) for h in (1, m.hat.abs())]
        sums = [(doubt * h).abs().sum((0, 1, 2)) for h in (m.hat, 1)]
        extra = [magnitude + means[0] + m.hat.abs() * means[1], *sums]
        inner = [k for k in wanted if k < 3]
        out = [y_limit + (B * (wants[0].abs() + y_limit) if half else 0)]
        out += [a + b + extra[k] for a, b, k in zip(limits[1:], passing[1:], inner)]
        if 5 in wanted:
            out.append(doubt.abs() + TINY)
        return out + limits[1 + len(inner):]


@register
class BatchNorm2dRelu(NormRelu):
    name, parts = "batch_norm2d_relu", ("batch_norm2d", "relu")


@register
class BatchNorm2dAddRelu(NormRelu):
    name, parts = "batch_norm2d_add_relu", ("batch_norm2d", "add", "relu")

    def inputs(self, p):
        return super().inputs(p) + [In([p["n"], p["h"], p["w"], p["c"]])]

    def before(self, p, xs):
        return self.norm(p, xs)[0] + xs[5]


@register
class LayerNorm(Call):
    name, parts = "layer_norm", ("layer_norm",)
    fills = ("unit", "normal", "mean", "mean", "constant")

    def draw(self, rng):
        dims = shape(rng, 1, 4)
        return {"dims": dims, "last": rng.randint(1, len(dims)), "gamma": rng.random() < 0.7, "beta": rng.random() < 0.7,
                "eps": rng.choice((0, 1e-3))}

    def attributes(self, p):
        return [p["eps"]]

    def inputs(self, p):
        want(1 <= p["last"] <= len(p["dims"]) and min(p["dims"]) >= 1)
        want(p["gamma"] or p["beta"] or p["last"] == 1)
        last = p["dims"][len(p["dims"]) - p["last"]:]
        return [In(p["dims"]), maybe(p["gamma"], In(last, "f32", "unit")), maybe(p["beta"], In(last, "f32", "unit"))]

    def f(self, p, xs):
        return F.layer_norm(xs[0], p["dims"][len(p["dims"]) - p["last"]:], xs[1], xs[2], p["eps"] or 1e-5)

    def limits(self, p, xs, y, gy, wants, wanted):
        """Adds a leading axis of 1, so that there are rows to sum the gradients of gamma and beta over."""
        rank, x = len(p["dims"]) + 1, xs[0].detach()[None]
        rows = tuple(range(rank - p["last"]))
        m = Moments(x, tuple(range(rank - p["last"], rank)), p["eps"] or 1e-5)
        gamma = torch.ones((), dtype=torch.float64) if xs[1] is None else xs[1].detach()
        beta = torch.zeros((), dtype=torch.float64) if xs[2] is None else xs[2].detach()
        off = 64 * m.n * U * U * m.mean.abs()                        # the mean of the residuals corrects the mean
        limits = norm_limits(self, p, m, gamma, beta, gy[None], [wants[0][None]], wanted, off, True, rows)
        return [e[0] if j <= 0 else e for e, j in zip(limits, [-1, *wanted])]


# ---- along an axis ----

class AlongAxis(Call):
    fills = ("unit", "normal", "mean", "wide")

    def draw(self, rng):
        dims = shape(rng, 1, 4)
        return {"dims": dims, "axis": rng.randrange(-len(dims), len(dims))}

    def attributes(self, p):
        return [p["axis"]]

    def inputs(self, p):
        want(min(p["dims"]) >= 1 and -len(p["dims"]) <= p["axis"] < len(p["dims"]))
        return [In(p["dims"])]

    def below_max(self, p, xs):
        x = xs[0].detach()
        return (x - x.amax(p["axis"], keepdim=True)).abs(), x.shape[p["axis"]]


@register
class Softmax(AlongAxis):
    name, parts = "softmax", ("softmax",)

    def f(self, p, xs):
        return torch.softmax(xs[0], p["axis"])

    def limits(self, p, xs, y, gy, wants, wanted):
        below, n = self.below_max(p, xs)
        half, y, mean = self.half(p), wants[0], (wants[0] * (1 + below)).sum(p["axis"], keepdim=True)
        gx = y * (gy.abs() + (gy.abs() * y).sum(p["axis"], keepdim=True))
        own = y * (gy.abs() * (1 + below) * y).sum(p["axis"], keepdim=True)
        return [bound(y, n, y * (below + mean), half)] + [
            bound(w, n, gx * (1 + below + mean) + own) + half * 4 * B * gx for w in wants[1:]]


@register
class LogSoftmax(AlongAxis):
    name, parts = "log_softmax", ("log_softmax",)

    def f(self, p, xs):
        return torch.log_softmax(xs[0], p["axis"])

    def limits(self, p, xs, y, gy, wants, wanted):
        below, n = self.below_max(p, xs)
        gx = gy.abs() + torch.exp(wants[0]) * (1 + wants[0].abs()) * gy.abs().sum(p["axis"], keepdim=True)
        y = bound(wants[0], n, below + 1 + math.log(n), self.half(p))
        return [y] + [bound(w, n, gx, 3 * self.half(p)) for w in wants[1:]]


# ---- classification losses ----

@register
class CrossEntropyWith(Call):
    name, parts, fills = "cross_entropy_with", ("cross_entropy_with",), ("unit", "normal", "mean", "wide")
    of_logits = True

    def draw(self, rng):
        return {"lead": shape(rng, 1, 3), "classes": rng.choice(SIZES), "reduction": rng.randrange(3),
                "ignored": rng.choice((0, 0, 1)), "weight": rng.random() < 0.4, "smoothing": rng.choice((0, 0, 0.1, 0.5)),
                "to": rng.choice(("i64", "i64", "i32", "u8"))}

    def y_dtype(self, p):
        return "f32"

    def attributes(self, p):
        return [p["reduction"], p["smoothing"], p["ignored"], 0]

    def inputs(self, p):
        want(min(p["lead"]) >= 1 and p["classes"] >= 1 and 0 <= p["smoothing"] < 1 and p["reduction"] in (0, 1, 2))
        want(not p["ignored"] or p["classes"] > 1)
        return [In(p["lead"] + [p["classes"]]), In(p["lead"], p["to"], p["classes"], 0),
                maybe(p["weight"], In([p["classes"]], "f32", "positive", 0))]

    def spread(self, p, xs):
        """The target distribution times the class weights, and the sum's divisor."""
        target, n = xs[1].long(), p["classes"]
        weight = torch.ones(n, dtype=torch.float64) if xs[2] is None else xs[2]
        kept = (target != 0 if p["ignored"] else target == target).double()
        wanted = F.one_hot(target, n).double() * (1 - p["smoothing"]) + p["smoothing"] / n
        total = (weight[target] * kept).sum()
        want(p["reduction"] != 0 or total > 0)
        return wanted * weight * kept[..., None], total if p["reduction"] == 0 else 1

    def f(self, p, xs):
        spread, total = self.spread(p, xs)
        rows = -(spread * (torch.log_softmax(xs[0], -1) if self.of_logits else xs[0])).sum(-1)
        return rows if p["reduction"] == 2 else rows.sum() / total

    def limits(self, p, xs, y, gy, wants, wanted):
        spread, total = self.spread(p, xs)
        x, n = xs[0].detach(), p["classes"]
        below = (x - x.amax(-1, keepdim=True)).abs()
        rows = (spread * (below + 1 + math.log(n) if self.of_logits else x.abs())).sum(-1)
        g = (gy if p["reduction"] == 2 else gy.expand(p["lead"]) / total).abs()[..., None]
        terms = n + spread[..., 0].numel()
        gx = g * spread
        if self.of_logits:
            gx = gx + g * torch.softmax(x, -1) * (1 + below) * spread.sum(-1, keepdim=True)
        return [bound(wants[0], terms, rows if p["reduction"] == 2 else rows.sum() / total)] + [
            bound(w, terms, gx, 2 * self.half(p)) for w in wants[1:]]


@register
class CrossEntropy(CrossEntropyWith):
    name, parts = "cross_entropy", ("cross_entropy",)

    def draw(self, rng):
        return {**super().draw(rng), "reduction": 0, "ignored": 0, "weight": False, "smoothing": 0}

    def inputs(self, p):
        want(not (p["reduction"] or p["ignored"] or p["weight"] or p["smoothing"]))
        return super().inputs(p)


@register
class NllLoss(CrossEntropyWith):
    name, parts, of_logits = "nll_loss", ("nll_loss",), False

    def draw(self, rng):
        return {**super().draw(rng), "smoothing": 0}

    def inputs(self, p):
        want(not p["smoothing"])
        return super().inputs(p)


# ---- regression losses ----

class Pointwise(Call):
    fills = ("unit", "normal", "ties", "mean")

    def draw(self, rng):
        return {"dims": shape(rng, 1, 4), "reduction": rng.randrange(3)}

    def y_dtype(self, p):
        return "f32"

    def attributes(self, p):
        return [p["reduction"]]

    def inputs(self, p):
        want(min(p["dims"]) >= 1 and p["reduction"] in (0, 1, 2))
        return [In(p["dims"]), In(p["dims"])]

    def reduce(self, p, rows):
        return (rows.mean, rows.sum, rows.clone)[p["reduction"]]()

    def f(self, p, xs):
        return self.reduce(p, self.rows(*xs))

    def limits(self, p, xs, y, gy, wants, wanted):
        x, t = (v.detach() for v in xs)
        n = 1 if p["reduction"] == 2 else x.numel()
        row, *gs = self.m(x, t)
        g = gy.abs() / (n if p["reduction"] == 0 else 1)
        return [bound(wants[0], n + 4, self.reduce(p, row))] + [
            bound(w, 4, gs[k] * g, 2 * self.half(p)) for w, k in zip(wants[1:], wanted)]


def pointwise(name, rows, m):
    cls = type(name, (Pointwise,), {"name": name, "parts": (name,)})
    cls.rows = lambda self, x, t: rows(x, t)
    cls.m = lambda self, x, t: m(x, t)
    register(cls)


pointwise("mse", lambda x, t: (x - t) ** 2, lambda x, t: ((x - t) ** 2, 2 * (x - t).abs(), 2 * (x - t).abs()))
pointwise("l1", lambda x, t: (x - t).abs(), lambda x, t: ((x - t).abs(), 1 + 0 * x, 1 + 0 * x))
pointwise("bce_with_logits", lambda x, t: F.softplus(x, threshold=500) - x * t,
          lambda x, t: (F.softplus(x, threshold=500) + (x * t).abs(), torch.sigmoid(x) * (1 + x.abs()) + t.abs(), x.abs()))
