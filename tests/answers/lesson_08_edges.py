"""Answers that learners may well give to sections 1 and 2 of lesson 8: edges and their scores."""

import numpy as np
import torch

WRONG: dict[str, dict] = {}
RIGHT: dict = {}

# 8.1 ------------------------------------------------------------------------------------------------------------------


def by_layer(
    ports=3, first=1, per_head=1, mlp_sees=lambda before, heads: before + heads, mlp_writes=1, end=1
):
    """Senders before a layer in closed form, then the ports of that layer."""

    def answer(n_layers, n_heads, with_mlps):
        per_layer = per_head * n_heads + (mlp_writes if with_mlps else 0)
        total = 0
        for layer in range(n_layers):
            before = first + layer * per_layer
            total += before * ports * n_heads
            total += mlp_sees(before, per_head * n_heads) if with_mlps else 0
        return total + end * (first + n_layers * per_layer)

    return answer


def closed_form(L, H, M):
    M, pairs = int(M), L * (L - 1) // 2
    return 3 * H * (L + (H + M) * pairs) + M * (L * (1 + H) + (H + 1) * pairs) + 1 + L * (H + M)


def listed(L, H, M, reads=lambda sender, receiver: sender < receiver):
    senders, receivers = [0], []
    for layer in range(L):
        receivers += [2 * layer + 1] * 3 * H + ([2 * layer + 2] if M else [])
        senders += [2 * layer + 1] * H + ([2 * layer + 2] if M else [])
    receivers.append(2 * L + 1)
    return sum(reads(sender, receiver) for sender in senders for receiver in receivers)


WRONG["8.1"] = {
    "one port per head": by_layer(ports=1),
    "logits left out": by_layer(end=0),
    "embedding left out": by_layer(first=0),
    "three outputs per head": by_layer(per_head=3),
    "MLP without the heads of its layer": by_layer(mlp_sees=lambda before, heads: before),
    "MLP does not write": by_layer(mlp_writes=0),
    "heads of one layer connected": [
        lambda L, H, M: closed_form(L, H, M) + 3 * L * H * (H - 1),
    ],
    "neighbours only": lambda L, H, M: 3 * H * (1 + (L - 1) * (1 if M else H)) + L * H * M + (1 if M else H),
    "MLPs always counted": lambda L, H, M: listed(L, H, True),
    "MLPs never counted": lambda L, H, M: listed(L, H, False),
    "nodes counted": lambda L, H, M: L * (H + M) + 2,
    "pairs in any order": lambda L, H, M: listed(L, H, M, reads=lambda sender, receiver: True),
    "layers and heads swapped": lambda L, H, M: closed_form(H, L, M),
    "wrong values": [
        lambda L, H, M: closed_form(L, H, M) + L * M,  # an MLP reads itself
        lambda L, H, M: listed(L, H, M, reads=lambda sender, receiver: sender <= receiver),
    ],
    "wrong type": lambda L, H, M: f"{closed_form(L, H, M)} edges",
}
RIGHT["8.1"] = [
    by_layer(),
    closed_form,
    listed,
    lambda L, H, M: torch.tensor(closed_form(L, H, M)),
    lambda L, H, M: float(listed(L, H, M)),
]

# 8.2 ------------------------------------------------------------------------------------------------------------------


def one_by_one(stream, clean, corrupted, patched, change=lambda old, new: new - old, where=bool):
    x = stream.clone()
    for number, is_patched in enumerate(patched.tolist()):
        if where(is_patched):
            x = x + change(clean[number], corrupted[number])
    return x


def last_row_only(stream, clean, corrupted, patched):
    x = one_by_one(stream, clean, corrupted, patched)
    return torch.cat([stream[:, :-1], x[:, -1:]], dim=1)


def first_patched(stream, clean, corrupted, patched):
    number = patched.float().argmax()
    return stream + patched.any() * (corrupted[number] - clean[number])


def in_place(stream, clean, corrupted, patched):
    stream += (corrupted - clean)[patched].sum(0)
    return stream


WRONG["8.2"] = {
    "corrupted output added on top": lambda *a: one_by_one(*a, change=lambda old, new: new),
    "clean output subtracted only": lambda *a: one_by_one(*a, change=lambda old, new: -old),
    "opposite direction": lambda *a: one_by_one(*a, change=lambda old, new: old - new),
    "all edges patched": lambda *a: one_by_one(*a, where=lambda is_patched: True),
    "the other edges patched": lambda *a: one_by_one(*a, where=lambda is_patched: not is_patched),
    "mean of the changes": [
        lambda s, c, d, p: s + torch.einsum("n,npld->pld", p.float(), d - c) / len(p),
        lambda s, c, d, p: s + ((d - c)[p].mean(0) if p.any() else 0),
    ],
    "stream left out": lambda s, c, d, p: torch.einsum("n,npld->pld", p.float(), d - c),
    "patched outputs only": lambda s, c, d, p: d[p].sum(0),
    "stream rebuilt from the senders": lambda s, c, d, p: d[p].sum(0) + c[~p].sum(0),
    "last position only": last_row_only,
    "one edge only": first_patched,
    "nothing patched": lambda s, c, d, p: s + 0 * d.sum(0),
    "changed its input": in_place,
    "wrong shape": [
        lambda s, c, d, p: s + (d - c)[p],
        lambda s, c, d, p: s + (d - c) * p[:, None, None, None],
    ],
}
RIGHT["8.2"] = [
    one_by_one,
    lambda s, c, d, p: s + torch.einsum("n,npld->pld", p.float(), d - c),
    lambda s, c, d, p: s + torch.where(p[:, None, None, None], d - c, 0.0).sum(0),
    lambda s, c, d, p: s - c[p].sum(0) + d[p].sum(0),
    lambda s, c, d, p: torch.from_numpy(s.numpy() + (d - c).numpy()[p.numpy()].sum(0)),
]

# 8.3 ------------------------------------------------------------------------------------------------------------------


def table(D, G, entry):
    return torch.stack([torch.stack([entry(d, g) for g in G]) for d in D])


def of_products(reduce):
    """A score made of the products [prompt pos d_model] of one sender and one receiver."""
    return lambda D, G: table(D, G, lambda d, g: reduce(d * g))


def with_lengths(D, G):
    return table(D, G, lambda d, g: (d.norm(dim=-1) * g.norm(dim=-1)).sum() / len(d))


def matrix_product(D, G):
    return D.flatten(1) @ G.flatten(1).T / D.shape[1]


WRONG["8.3"] = {
    "summed over prompts": [
        lambda D, G: torch.einsum("ipld,jpld->ij", D, G),
        lambda D, G: D.flatten(1) @ G.flatten(1).T,
    ],
    "mean over positions": of_products(lambda products: products.sum(-1).mean()),
    "last position only": of_products(lambda products: products[:, -1].sum(-1).mean()),
    "means multiplied": lambda D, G: torch.einsum("ild,jld->ij", D.mean(1), G.mean(1)),
    "sizes of the scores": lambda D, G: matrix_product(D, G).abs(),
    "sizes of each product": of_products(lambda products: products.sum(-1).abs().sum() / len(products)),
    "sizes of each prompt": of_products(lambda products: products.sum((1, 2)).abs().mean()),
    "lengths multiplied": with_lengths,
    "opposite sign": lambda D, G: -matrix_product(D, G),
    "unit gradients": lambda D, G: matrix_product(D, torch.nn.functional.normalize(G, dim=-1)),
    "unit differences": lambda D, G: matrix_product(torch.nn.functional.normalize(D, dim=-1), G),
    "receivers as rows": [
        lambda D, G: torch.einsum("ipld,jpld->ji", D, G) / D.shape[1],
        lambda D, G: matrix_product(G, D),
    ],
    "every prompt by itself": lambda D, G: torch.einsum("ipld,jpld->ijp", D, G),
    "all receivers summed": lambda D, G: matrix_product(D, G).sum(1),
    "wrong values": [
        of_products(lambda products: products.mean()),
        lambda D, G: torch.einsum("ipld,jpld->ij", D, G) / D.shape[2] / D.shape[1] * 2,
    ],
}
RIGHT["8.3"] = [
    matrix_product,
    lambda D, G: torch.einsum("ipld,jpld->ijp", D, G).mean(-1),
    of_products(lambda products: products.sum() / len(products)),
    lambda D, G: (D[:, None] * G).sum((3, 4)).mean(2),
    lambda D, G: torch.from_numpy(np.einsum("ipld,jpld->ij", D.numpy(), G.numpy()) / D.shape[1]),
]

# 8.4 ------------------------------------------------------------------------------------------------------------------


def loop(fractions, divide=lambda steps, points: points):
    """Gradients summed in a loop over fractions of the way."""

    def answer(gradient_at, clean, corrupted, steps):
        total, points = 0, fractions(steps)
        for fraction in points:
            total = total + gradient_at((1 - fraction) * clean + fraction * corrupted)
        return total / divide(steps, len(points))

    return answer


def middles(steps):
    return [(i + 0.5) / steps for i in range(steps)]


def simpson_ends(gradient_at, clean, corrupted, steps):
    weights = [0.5, *[1.0] * (steps - 1), 0.5]
    values = [gradient_at(clean + i / steps * (corrupted - clean)) for i in range(steps + 1)]
    return sum(w * value for w, value in zip(weights, values)) / steps


def from_the_other_end(gradient_at, clean, corrupted, steps):
    return loop(middles)(gradient_at, corrupted, clean, steps)


def start(change):
    """The loop over other ends: ``change(clean, corrupted)`` returns them."""
    return lambda gradient_at, clean, corrupted, steps: loop(middles)(
        gradient_at, *change(clean, corrupted), steps
    )


WRONG["8.4"] = {
    "starts of the steps": loop(lambda n: torch.linspace(0, 1, n + 1)[:-1].tolist()),
    "ends of the steps": loop(lambda n: [i / n for i in range(1, n + 1)]),
    "both ends included": [
        loop(lambda n: np.linspace(0, 1, n).tolist()),
        loop(lambda n: [i / n for i in range(n + 1)]),
    ],
    "points between the ends": loop(lambda n: torch.linspace(0, 1, n + 2)[1:-1].tolist()),
    "trapezoids": simpson_ends,
    "one step too many": loop(lambda n: middles(n + 1)),
    "one point only": [
        lambda gradient_at, clean, corrupted, n: gradient_at((clean + corrupted) / 2),
        lambda gradient_at, clean, corrupted, n: gradient_at(
            torch.stack([torch.lerp(clean, corrupted, f) for f in middles(n)]).mean(0)
        ),
    ],
    "clean gradient only": lambda gradient_at, clean, corrupted, n: gradient_at(clean),
    "corrupted gradient only": lambda gradient_at, clean, corrupted, n: gradient_at(corrupted),
    "away from the corrupted embeddings": start(lambda clean, corrupted: (clean, 2 * clean - corrupted)),
    "from zero": [
        start(lambda clean, corrupted: (0 * clean, corrupted)),
        start(lambda clean, corrupted: (0 * clean, clean)),
    ],
    "clean not subtracted": start(lambda clean, corrupted: (clean, clean + corrupted)),
    "clean left out": start(lambda clean, corrupted: (0 * clean, corrupted - clean)),
    "last step only": lambda gradient_at, clean, corrupted, n: (
        gradient_at(torch.lerp(clean, corrupted, 1 - 0.5 / n)) / n
    ),
    "summed": loop(middles, divide=lambda steps, points: 1),
    "divided by one step more": loop(middles, divide=lambda steps, points: steps + 1),
    "wrong values": [
        loop(lambda n: [(i + 0.25) / n for i in range(n)]),
    ],
    "constant factor": [
        lambda gradient_at, clean, corrupted, n: loop(middles)(gradient_at, clean, corrupted, n) * 2,
    ],
}
RIGHT["8.4"] = [
    loop(middles),
    from_the_other_end,
    loop(lambda n: ((torch.arange(n) + 0.5) / n).tolist()),
    loop(lambda n: (np.arange(0.5, n) / n).tolist()),
    lambda gradient_at, clean, corrupted, n: torch.stack(
        [gradient_at(torch.lerp(clean, corrupted, (2 * i + 1) / (2 * n))) for i in range(n)]
    ).mean(0),
]
