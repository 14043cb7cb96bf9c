"""Answers of exercises 7.7 and 7.8: control heads, and K-composition with shared keys."""

import random

import torch

WRONG: dict[str, dict] = {}
RIGHT: dict = {}

# 7.7 ------------------------------------------------------------------------------------------------------------------


def chosen(heads, n_heads, seed, forbidden=True, repeats=False, rng=None, pick=None, layer_of=None):
    """Controls drawn by Python's random numbers, one head after the other."""
    rng = rng or random.Random(seed)
    drawn = []
    for place, (layer, _) in enumerate(heads):
        layer = layer if layer_of is None else layer_of(place, rng)
        candidates = {(layer, head) for head in range(n_heads)}
        candidates -= set(heads) if forbidden else set()
        candidates -= set() if repeats else set(drawn)
        ordered = sorted(candidates)
        drawn.append(rng.choice(ordered) if pick is None else pick(ordered, rng))
    return drawn


def shuffled_layers(heads, n_heads, seed):
    """Like a right answer, a whole permutation per layer, which is used up from the front."""
    rng, order = random.Random(seed), {}
    for layer, _ in heads:
        if layer not in order:
            order[layer] = [head for head in range(n_heads) if (layer, head) not in heads]
            rng.shuffle(order[layer])
    return [(layer, order[layer].pop()) for layer, _ in heads]


def with_numpy_like_permutation(heads, n_heads, seed):
    generator = torch.Generator().manual_seed(seed)
    controls = []
    for layer, _ in heads:
        order = torch.randperm(n_heads, generator=generator).tolist()
        controls.append(next((layer, h) for h in order if (layer, h) not in [*heads, *controls]))
    return controls


def next_free(heads, n_heads, seed):
    """A random head, or the next one that is free."""
    rng, drawn = random.Random(seed), []
    for layer, _ in heads:
        head = rng.randrange(n_heads)
        while (layer, head) in [*heads, *drawn]:
            head = (head + 1) % n_heads
        drawn.append((layer, head))
    return drawn


def distinct_numbers(heads, n_heads, seed, taken):
    """Controls whose numbers differ from ``taken``, and from each other where that is possible."""
    rng, drawn = random.Random(seed), []
    for layer, _ in heads:
        free = [(layer, head) for head in range(n_heads) if (layer, head) not in [*heads, *drawn]]
        others = [head for head in free if head[1] not in [*taken, *(number for _, number in drawn)]]
        drawn.append(rng.choice(others or free))
    return drawn


WRONG["7.7"] = {
    "chosen heads among the controls": [
        lambda heads, n, seed: chosen(heads, n, seed, forbidden=False),
        lambda heads, n, seed: [(layer, (head + 1 + seed) % n) for layer, head in heads],
    ],
    "a control twice": lambda heads, n, seed: chosen(heads, n, seed, repeats=True),
    "another layer": lambda heads, n, seed: chosen(
        heads, n, seed, layer_of=lambda place, rng: rng.randrange(6)
    ),
    "layers in another order": lambda heads, n, seed: sorted(chosen(heads, n, seed)),
    "not random": lambda heads, n, seed: chosen(heads, n, 7),
    "seed ignored": lambda heads, n, seed: chosen(heads, n, seed, rng=random.SystemRandom()),
    "same draw for every head": lambda heads, n, seed: chosen(
        heads, n, seed, pick=lambda ordered, rng: random.Random(seed).choice(ordered)
    ),
    "not equally likely": [
        lambda heads, n, seed: chosen(
            heads, n, seed, pick=lambda ordered, rng: min(rng.choice(ordered), rng.choice(ordered))
        ),
        next_free,
        lambda heads, n, seed: distinct_numbers(heads, n, seed, taken=[head for _, head in heads]),
        lambda heads, n, seed: distinct_numbers(heads, n, seed, taken=[]),
    ],
    "one control for each head": lambda heads, n, seed: chosen(heads, n, seed)[:-1],
    "pairs of layer and head": [
        lambda heads, n, seed: [control[1] for control in chosen(heads, n, seed)],
        lambda heads, n, seed: [(layer, [head]) for layer, head in chosen(heads, n, seed)],
    ],
    "no such head": lambda heads, n, seed: [(layer, head + n) for layer, head in chosen(heads, n, seed)],
    "wrong type": lambda heads, n, seed: set(chosen(heads, n, seed)),
    "returned None": lambda heads, n, seed: chosen(heads, n, seed).sort(),
}
RIGHT["7.7"] = [
    chosen,
    shuffled_layers,
    with_numpy_like_permutation,
    lambda heads, n, seed: tuple(map(list, chosen(heads, n, seed))),
    lambda heads, n, seed: torch.tensor(chosen(heads, n, seed)),
]

# 7.8 ------------------------------------------------------------------------------------------------------------------


def frobenius(M):
    return M.flatten().square().sum() ** 0.5


def scores(
    V, W_O, K, shared=lambda h, group: h // group, norm=frobenius, product=None, below=None, square=False
):
    """Scores by loops over pairs."""
    H, group = len(W_O), len(W_O) // len(V)
    out = torch.zeros(H, H)
    for s in range(H):
        for r in range(H):
            v, o, k = V[shared(s, group)], W_O[s], K[shared(r, group)]
            top = v @ o @ k if product is None else product(v, o, k)
            bottom = norm(v @ o) * norm(k) if below is None else below(v, o, k)
            out[s, r] = norm(top) / bottom
    return out**2 if square else out


def spectral(M):
    return torch.linalg.svdvals(M)[0]


WRONG["7.8"] = {
    "shared heads in turns": lambda V, W_O, K: scores(V, W_O, K, shared=lambda h, group: h % len(V)),
    "first shared head for all": lambda V, W_O, K: scores(V, W_O, K, shared=lambda h, group: 0),
    "not divided": lambda V, W_O, K: scores(V, W_O, K, below=lambda v, o, k: 1),
    "divided by the keys' norm alone": lambda V, W_O, K: scores(
        V, W_O, K, below=lambda v, o, k: frobenius(k)
    ),
    "divided by the senders' norm alone": lambda V, W_O, K: scores(
        V, W_O, K, below=lambda v, o, k: frobenius(v @ o)
    ),
    "norms of the factors": lambda V, W_O, K: scores(
        V, W_O, K, below=lambda v, o, k: frobenius(v) * frobenius(o) * frobenius(k)
    ),
    "sender's input side": lambda V, W_O, K: scores(V, W_O, K, product=lambda v, o, k: o.T @ v.T @ k),
    "receiver before sender": lambda V, W_O, K: torch.transpose(scores(V, W_O, K), 0, 1),
    "W_O left out": lambda V, W_O, K: scores(
        V, W_O, K, product=lambda v, o, k: v.T @ k, below=lambda v, o, k: frobenius(v) * frobenius(k)
    ),
    "W_V left out": lambda V, W_O, K: scores(
        V, W_O, K, product=lambda v, o, k: o @ k, below=lambda v, o, k: frobenius(o) * frobenius(k)
    ),
    "spectral norms": lambda V, W_O, K: scores(V, W_O, K, norm=spectral),
    "squared": lambda V, W_O, K: scores(V, W_O, K, square=True),
    "one column per key head": lambda V, W_O, K: scores(V, W_O, K)[
        :, [i * len(W_O) // len(K) for i in range(len(K))]
    ],
}
RIGHT["7.8"] = [
    scores,
    lambda V, W_O, K: torch.stack(
        [
            torch.stack(
                [
                    torch.linalg.matrix_norm(
                        (OV := V[s * len(V) // len(W_O)] @ W_O[s]) @ K[r * len(K) // len(W_O)]
                    )
                    / torch.linalg.matrix_norm(OV)
                    / torch.linalg.matrix_norm(K[r * len(K) // len(W_O)])
                    for r in range(len(W_O))
                ]
            )
            for s in range(len(W_O))
        ]
    ),
    lambda V, W_O, K: scores(V.double(), W_O.double(), K.double()),
]
