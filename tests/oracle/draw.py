"""Random sizes: ones, primes, the edges of tiles."""

SIZES = (1, 2, 3, 5, 7, 8, 13, 15, 16, 17, 31, 32, 33, 63, 64, 65)
SMALL = (1, 1, 2, 3, 4, 5, 7, 8)
MOST_ELEMENTS, MOST_PRODUCTS = 1 << 17, 1 << 23


class Invalid(Exception):
    """Not a valid call: PyTorch has no result for these sizes, or it would take too long."""


def want(condition):
    if not condition:
        raise Invalid


def count(shape):
    n = 1
    for d in shape:
        n *= d
    return n


def shape(rng, low=0, high=5):
    """At most one large axis if there are many axes."""
    rank = rng.randint(low, high)
    dims = [rng.choice(SMALL) for _ in range(rank)]
    for _ in range(2 if rank < 4 else 1):
        if rank:
            dims[rng.randrange(rank)] = rng.choice(SIZES)
    return dims


def broadcast(rng, dims):
    """A shape that broadcasts to dims: ones in some places, leading axes missing."""
    part = [1 if rng.random() < 0.3 else d for d in dims]
    return part[rng.randint(0, len(part)):] if rng.random() < 0.3 else part
