"""Answers for exercises 5.11 to 5.16: signals, ablation, and what a circuit explains."""

from functools import partial

import torch

WRONG: dict[str, dict] = {}
RIGHT: dict = {}

ALL = slice(None)

# 5.11 -----------------------------------------------------------------------------------------------------------------


def fitted(diffs, *signals):
    """Least squares by the normal equations."""
    A = torch.stack(signals, 1)
    return torch.linalg.inv(A.T @ A) @ (A.T @ diffs)


def one_after_the_other(diffs, first, second):
    a = fitted(diffs, first)
    return torch.cat([a, fitted(diffs - a * first, second)])


WRONG["5.11"] = {
    "signals exchanged": lambda d, p, t: fitted(d, t, p),
    "each signal alone": lambda d, p, t: torch.cat([fitted(d, p), fitted(d, t)]),
    "three numbers": lambda d, p, t: fitted(d, p, t, torch.ones(len(d))),
    "with a constant": [
        lambda d, p, t: fitted(d, torch.ones(len(d)), p, t)[1:],
        lambda d, p, t: fitted(d - d.mean(), p - p.mean(), t - t.mean()),
    ],
    "correlations": lambda d, p, t: torch.corrcoef(torch.stack([d, p, t]))[0, 1:],
    "what is fitted": lambda d, p, t: fitted(d, p, t)[0] * p + fitted(d, p, t)[1] * t,
    "one after the other": [one_after_the_other, lambda d, p, t: one_after_the_other(d, t, p)[[1, 0]]],
    "dot products": [
        lambda d, p, t: torch.stack([d @ p, d @ t]) / len(d),
        lambda d, p, t: torch.stack([d @ p, d @ t]),
    ],
    "wrong values": [
        lambda d, p, t: torch.stack([d[p > 0].mean() - d[p < 0].mean(), d[t > 0].mean() - d[t < 0].mean()]),
        lambda d, p, t: torch.stack([(d * p).mean() / p.std(), (d * t).mean() / t.std()]),
        lambda d, p, t: fitted(d, p, t) / fitted(d, p, t).sum(),
    ],
    "axis too many": lambda d, p, t: torch.linalg.lstsq(torch.stack([p, t], 1), d[:, None]).solution,
    "only the first signal": lambda d, p, t: fitted(d, p, t)[0],
    "wrong shape": lambda d, p, t: d - fitted(d, p, t)[0] * p,
    "wrong type": [
        lambda d, p, t: tuple(fitted(d, p, t)),
        lambda d, p, t: torch.linalg.lstsq(torch.stack([p, t], 1), d),
        lambda d, p, t: fitted(d, p, t).tolist(),
    ],
    "exception": [
        lambda d, p, t: torch.linalg.lstsq(torch.stack([p, t]), d).solution,
        lambda d, p, t: torch.linalg.solve(torch.stack([p, t], 1), d),
    ],
}
RIGHT["5.11"] = [
    fitted,
    lambda d, p, t: torch.linalg.pinv(torch.stack([p, t], 1)) @ d,
    lambda d, p, t: torch.linalg.lstsq(torch.stack([p, t], 1).double(), d[:, None].double()).solution[:, 0],
]


# 5.12 -----------------------------------------------------------------------------------------------------------------


def template_means(z, groups, mean=lambda members: sum(members) / len(members)):
    """Prompt by prompt: the mean over the prompts m of the same template."""
    return torch.stack([mean([z[m] for m in range(len(z)) if groups[m] == group]) for group in groups])


def averaged_over(*axes):
    """The right means, averaged once more over axes of z."""
    return lambda z, groups: template_means(z, groups).mean(axes, keepdim=True).expand_as(z)


def written_into_z(z, groups):
    for group in set(groups.tolist()):
        z[groups == group] = z[groups == group].mean(0)
    return z


def at_the_templates_number(z, groups):
    means = torch.zeros_like(z)
    for group in groups.unique():
        means[group] = z[groups == group].mean(0)
    return means


def labels_from_0(z, groups):
    means = z.clone()
    for group in range(len(set(groups.tolist()))):
        means[groups == group] = z[groups == group].mean(0)
    return means


def below_the_highest(z, groups):
    means = torch.zeros_like(z)
    for group in range(max(groups.tolist())):
        if group in groups:
            means[groups == group] = z[groups == group].mean(0)
    return means


WRONG["5.12"] = {
    "labels taken for 0, 1, 2, …": labels_from_0,
    "the highest label left out": below_the_highest,
    "single prompts left at 0": lambda z, groups: (
        template_means(z, groups) * ((groups == groups[:, None]).sum(1) > 1)[:, None, None, None]
    ),
    "runs of equal numbers": lambda z, groups: template_means(
        z, (groups.diff(prepend=groups[:1]) != 0).cumsum(0)
    ),
    "nothing averaged": [lambda z, groups: z, lambda z, groups: template_means(z, torch.arange(len(z)))],
    "one mean for all": [
        lambda z, groups: z.mean(0, keepdim=True).repeat(len(z), 1, 1, 1),
        lambda z, groups: (z.sum(0) / len(z)).expand_as(z),
    ],
    "one row per template": lambda z, groups: torch.stack([z[groups == g].mean(0) for g in groups.unique()]),
    "wrong shape": [lambda z, groups: z.mean(0, keepdim=True), lambda z, groups: z[groups].mean(0)[groups]],
    "sorted by template": lambda z, groups: template_means(z[groups.argsort()], groups.sort().values),
    "the prompt itself left out": lambda z, groups: torch.stack(
        [z[(groups == groups[n]) & (torch.arange(len(z)) != n)].mean(0) for n in range(len(z))]
    ),
    "mean over positions, too": averaged_over(1),
    "a sum instead of a mean": lambda z, groups: template_means(z, groups, mean=sum),
    "heads mixed": averaged_over(2),
    "divided by all prompts": lambda z, groups: template_means(
        z, groups, mean=lambda members: sum(members) / len(z)
    ),
    "depends on too much": [at_the_templates_number, averaged_over(1, 2)],
    "wrong values": [
        lambda z, groups: template_means(z, groups % len(groups)),
        lambda z, groups: z - template_means(z, groups),
        lambda z, groups: template_means(z, groups, mean=lambda members: members[0]),
    ],
    "median": lambda z, groups: template_means(
        z, groups, mean=lambda members: torch.stack(members).median(0)[0]
    ),
    "does not depend on groups": lambda z, groups: torch.cat(
        [part.mean(0).expand_as(part) for part in z.split([2, 2, 3])]
    ),
    "another shape": lambda z, groups: torch.cat([z[groups == g].mean(0) for g in groups]),
    "mean over pos": lambda z, groups: template_means(z, groups).mean(1),
    "wrong type": lambda z, groups: {g.item(): z[groups == g].mean(0) for g in groups.unique()},
    "changed its input": written_into_z,
    "exception": lambda z, groups: z.reshape(3, -1, *z.shape[1:]).mean(1),
}


def by_averaging_matrix(z, groups):
    same = (groups[:, None] == groups).float()
    return torch.einsum("ab,bphd->aphd", same / same.sum(1, keepdim=True), z)


def by_sums(z, groups):
    _, index, counts = groups.unique(return_inverse=True, return_counts=True)
    sums = torch.zeros(len(counts), *z.shape[1:]).index_add(0, index, z)
    return (sums / counts[:, None, None, None])[index]


RIGHT["5.12"] = [
    template_means,
    lambda z, groups: written_into_z(z.clone(), groups),
    by_averaging_matrix,
    by_sums,
    lambda z, groups: torch.stack([z[groups == g].mean(0) for g in range(groups.max() + 1)])[groups],
]


# 5.13 -----------------------------------------------------------------------------------------------------------------


def of_means(formula, mean=lambda values: sum(values) / len(values)):
    return lambda circuit, nothing, full: formula(mean(circuit), mean(nothing), mean(full))


WRONG["5.13"] = {
    "mean of ratios": [
        lambda c, n, f: sum((c[i] - n[i]) / (f[i] - n[i]) for i in range(len(c))) / len(c),
        lambda c, n, f: (c / f).mean(),
    ],
    "not measured from nothing": of_means(lambda c, n, f: c / f),
    "nothing subtracted once": of_means(lambda c, n, f: (c - n) / f),
    "what is missing": [
        of_means(lambda c, n, f: (f - c) / (f - n)),
        of_means(lambda c, n, f: 1 - (c - n) / (f - n)),
    ],
    "cut off at 0": of_means(lambda c, n, f: ((c - n) / (f - n)).clamp(min=0)),
    "cut off at 1": of_means(lambda c, n, f: ((c - n) / (f - n)).clamp(max=1)),
    "cut off": of_means(lambda c, n, f: min(max((c - n) / (f - n), 0), 1) + 0 * c),
    "a difference instead of a fraction": of_means(lambda c, n, f: c - n),
    "sign lost": of_means(lambda c, n, f: abs((c - n) / (f - n))),
    "medians": of_means(lambda c, n, f: (c - n) / (f - n), lambda values: values.median()),
    "wrong values": [
        of_means(lambda c, n, f: (c - n) / (f - n), lambda values: values.abs().mean()),
        of_means(lambda c, n, f: c / (f - n)),
        of_means(lambda c, n, f: (f - c) / f),
        of_means(lambda c, n, f: f - c),
        of_means(lambda c, n, f: c - f),
        of_means(lambda c, n, f: c - n / f - n),
        of_means(lambda c, n, f: 1 - abs(f - c) / (f - n)),
        of_means(lambda c, n, f: (c - n) / (f - n), lambda values: values[0]),
        lambda c, n, f: ((c - n) > (f - n)).float().mean(),
        lambda c, n, f: (c - n) @ (f - n) / (f - n).square().sum(),
    ],
    "arguments swapped": [
        of_means(lambda c, n, f: (f - n) / (c - n)),
        of_means(lambda c, n, f: (n - c) / (f - c)),
    ],
    "constant factor": of_means(lambda c, n, f: 100 * (c - n) / (f - n)),
    "wrong shape": lambda c, n, f: (c - n) / (f - n),
    "mean missing": lambda c, n, f: (c - n.mean()) / (f.mean() - n.mean()),
    "returned None": lambda c, n, f: print((c.mean() - n.mean()) / (f.mean() - n.mean())),
}
RIGHT["5.13"] = [
    of_means(lambda c, n, f: 1 - (f - c) / (f - n)),
    lambda c, n, f: (sum(c - n) / sum(f - n)).item(),
    lambda c, n, f: (c - n).double().mean() / (f - n).double().mean(),
]


# 5.14 -----------------------------------------------------------------------------------------------------------------


def mask(heads, positions, shape, index=lambda *place: place, value=True):
    """A mask with ``index(layer, head, prompt, position)`` marked for every head and prompt."""
    keep = torch.full(shape, False)
    for (layer, head), head_positions in zip(heads, positions.tolist()):
        for prompt, position in enumerate(head_positions):
            keep[index(layer, head, prompt, position)] = value
    return keep


def marking(index, value=True):
    return partial(mask, index=index, value=value)


def toggled(heads, positions, shape):
    counts = sum(mask([head], row[None], shape).int() for head, row in zip(heads, positions))
    return counts % 2 == 1


WRONG["5.14"] = {
    "unmarked where positions coincide": toggled,
    "union of positions": marking(lambda layer, head, prompt, position: (layer, head, ALL, position)),
    "whole heads": [
        marking(lambda layer, head, prompt, position: (layer, head)),
        marking(lambda layer, head, prompt, position: (layer, head, prompt)),
    ],
    "the first prompt's position": lambda heads, positions, shape: mask(
        heads, positions[:, :1].expand_as(positions), shape
    ),
    "whole layers": marking(lambda layer, head, prompt, position: (layer, ALL, prompt, position)),
    "everything before, too": marking(
        lambda layer, head, prompt, position: (layer, head, prompt, slice(position + 1))
    ),
    "only the last position of a head": lambda heads, positions, shape: mask(
        dict(zip(heads, positions)), torch.stack([*dict(zip(heads, positions)).values()]), shape
    ),
    "what is thrown away": lambda *arguments: mask(*arguments).logical_not(),
    "too few ones": lambda heads, positions, shape: mask(heads[:2], positions, shape),
    "too many ones": [
        marking(lambda layer, head, prompt, position: (ALL, head, prompt, position)),
        marking(lambda layer, head, prompt, position: (layer, head, prompt, slice(position, None))),
    ],
    "zeros and ones": [
        marking(lambda layer, head, prompt, position: (layer, head, prompt, slice(position))),
        marking(lambda layer, head, prompt, position: (layer, head, prompt, position - 1)),
        marking(lambda layer, head, prompt, position: (layer, head, prompt, -1)),
        lambda heads, positions, shape: mask(heads, positions.roll(1, 1), shape),
    ],
    "one number everywhere": [
        marking(lambda *place: place, value=False),
        lambda heads, positions, shape: torch.full(shape, True),
    ],
    "axes in another order": lambda *arguments: mask(*arguments).permute(2, 0, 1, 3),
    "only the first prompt": lambda *arguments: mask(*arguments)[:, :, 0],
    "wrong shape": lambda heads, positions, shape: torch.stack(
        [mask(heads, positions, shape)[head] for head in heads]
    ),
    "wrong dtype": [lambda *arguments: mask(*arguments).float(), lambda *arguments: mask(*arguments).int()],
    "wrong type": [
        lambda *arguments: mask(*arguments).tolist(),
        lambda heads, positions, shape: dict(zip(heads, positions)),
    ],
    "returned None": lambda *arguments: print(mask(*arguments)),
    "exception": [
        marking(lambda layer, head, prompt, position: (head, layer, prompt, position)),
        marking(lambda layer, head, prompt, position: (layer, head, position, prompt)),
        marking(lambda layer, head, prompt, position: (layer, head, position)),
    ],
}
RIGHT["5.14"] = [
    mask,
    lambda heads, positions, shape: sum(
        mask([head], row[None], shape).int() for head, row in zip(heads, positions)
    ).bool(),
]


# 5.15 -----------------------------------------------------------------------------------------------------------------


def accounts(loss, without=lambda circuit, i: circuit[:i] + circuit[i + 1 :]):
    """For every i ``loss`` of three scores: of the circuit, of ``without(circuit, i)``, of the model."""
    return lambda score, circuit, full: torch.tensor(
        [loss(score(circuit), score(without(circuit, i)), full) for i in range(len(circuit))]
    )


def as_fraction(with_head, without, full):
    return (with_head - without) / full


def never_put_back(score, circuit, full):
    circuit_score, losses = score(circuit), []
    for head in circuit.copy():
        circuit.remove(head)
        losses.append((circuit_score - score(circuit)) / full)
    return torch.tensor(losses)


def taken_down(score, circuit, full):
    losses = []
    for head in circuit.copy():
        before = score(circuit)
        circuit.remove(head)
        losses.append((before - score(circuit)) / full)
    return torch.tensor(losses)


def taken_out_and_put_back(score, circuit, full):
    circuit_score, losses = score(circuit), torch.zeros(len(circuit))
    for i, head in enumerate(list(circuit)):
        circuit.remove(head)
        losses[i] = circuit_score / full - score(circuit) / full
        circuit.insert(i, head)
    return losses


def removed_from_what_is_looped_over(score, circuit, full):
    circuit_score, losses = score(circuit), []
    for head in circuit:
        circuit.remove(head)
        losses.append((circuit_score - score(circuit)) / full)
    return torch.tensor(losses)


WRONG["5.15"] = {
    "each head alone": lambda score, circuit, full: torch.tensor(
        [(score([head]) - score([])) / full for head in circuit]
    ),
    "built up one by one": lambda score, circuit, full: torch.tensor(
        [(score(circuit[: i + 1]) - score(circuit[:i])) / full for i in range(len(circuit))]
    ),
    "each head alone, with nothing": lambda score, circuit, full: torch.tensor(
        [score([head]) / full for head in circuit]
    ),
    "taken down one by one": lambda score, circuit, full: taken_down(score, list(circuit), full),
    "changed its input": [taken_down, never_put_back, removed_from_what_is_looped_over],
    "not divided": accounts(lambda with_head, without, full: with_head - without),
    "divided by the circuit's score": [
        accounts(lambda with_head, without, full: (with_head - without) / with_head),
        accounts(lambda with_head, without, full: 1 - without / with_head),
    ],
    "what is left": accounts(lambda with_head, without, full: without / full),
    "without minus with": accounts(lambda with_head, without, full: (without - with_head) / full),
    "compared with the full model": [
        accounts(lambda with_head, without, full: (full - without) / full),
        accounts(lambda with_head, without, full: 1 - without / full),
    ],
    "not put back": accounts(as_fraction, lambda circuit, i: circuit[i + 1 :]),
    "wrong values": [
        accounts(lambda with_head, without, full: abs(with_head - without) / full),
        accounts(lambda with_head, without, full: max(with_head - without, 0) / full),
    ],
    "other heads removed, too": [
        accounts(as_fraction, lambda circuit, i: [head for head in circuit if head[1] != circuit[i][1]]),
        accounts(as_fraction, lambda circuit, i: [head for head in circuit if head[0] != circuit[i][0]]),
    ],
    "later heads removed, too": accounts(as_fraction, lambda circuit, i: circuit[:i]),
    "constant factor": [
        accounts(lambda with_head, without, full: without - with_head),
        accounts(lambda with_head, without, full: 100 * (with_head - without) / full),
    ],
    "upside down": accounts(lambda with_head, without, full: full / (with_head - without + 1e-6)),
    "one number everywhere": [
        accounts(as_fraction, lambda circuit, i: circuit[1:]),
        accounts(as_fraction, lambda circuit, i: circuit),
    ],
    "sum over head": lambda *arguments: accounts(as_fraction)(*arguments).sum(),
    "wrong shape": lambda score, circuit, full: torch.tensor(
        [(score(circuit) - score(circuit[:i] + circuit[i + 1 :])) / full for i in range(3)]
    ),
    "wrong type": [
        lambda *arguments: accounts(as_fraction)(*arguments).tolist(),
        lambda score, circuit, full: dict(zip(circuit, accounts(as_fraction)(score, circuit, full))),
    ],
    "returned None": lambda *arguments: print(accounts(as_fraction)(*arguments)),
    "exception": [
        lambda score, circuit, full: (
            (score(circuit) - torch.tensor([score(head) for head in circuit])) / full
        ),
        lambda score, circuit, full: torch.tensor(
            [score(circuit) - score(circuit - [head]) for head in circuit]
        ),
    ],
}
RIGHT["5.15"] = [accounts(as_fraction), taken_out_and_put_back]


# 5.16 -----------------------------------------------------------------------------------------------------------------


def estimate(g, change, out="h"):
    return torch.einsum(f"bphd,bphd->{out}", g, change)


WRONG["5.16"] = {
    "size of the estimate": lambda g, z, source: estimate(g, source - z).abs(),
    "mean over prompts": lambda g, z, source: estimate(g, source - z, "bh").mean(0),
    "value instead of change": lambda g, z, source: estimate(g, source),
    "own value instead of change": lambda g, z, source: estimate(g, z),
    "the wrong way round": [
        lambda g, z, source: estimate(g, z - source),
        lambda g, z, source: -estimate(g, source) + estimate(g, z),
    ],
    "averaged instead of summed": lambda g, z, source: estimate(g, source - z) / (g.numel() // g.shape[2]),
    "sizes only": [
        lambda g, z, source: estimate(g.abs(), (source - z).abs()),
        lambda g, z, source: (g * (source - z)).norm(p=1, dim=(0, 1, 3)),
    ],
    "one number per position and head": lambda g, z, source: estimate(g, source - z, "ph"),
    "positions kept, heads summed": lambda g, z, source: estimate(g, source - z, "p"),
    "z instead of a gradient": lambda g, z, source: estimate(torch.ones_like(g), source - z),
    "constant factor": lambda g, z, source: estimate(g, source - z, "ph").mean(0),
    "does not depend on z": lambda g, z, source: estimate(g, torch.ones_like(z)),
    "wrong values": [
        lambda g, z, source: estimate(g, source + z),
        lambda g, z, source: estimate(g, (source - z) ** 2),
        lambda g, z, source: estimate(g, source - z) / estimate(g, z),
        lambda g, z, source: (g * (source - z)).square().sum((0, 1, 3)).sqrt(),
        lambda g, z, source: (g.mean((0, 1)) * (source - z).mean((0, 1))).sum(-1),
        lambda g, z, source: torch.cosine_similarity(g, source - z, -1).sum((0, 1)),
        lambda g, z, source: z.sum((0, 1, 3)) + estimate(g, source - z),
    ],
    "sum over head": lambda g, z, source: estimate(g, source - z, ""),
    "sum missing": [
        lambda g, z, source: estimate(g, source - z, "bh"),
        lambda g, z, source: estimate(g, source - z, "hd"),
    ],
    "wrong shape": [lambda g, z, source: estimate(g, source - z, "b"), lambda g, z, source: g * (source - z)],
    "wrong type": lambda g, z, source: estimate(g, source - z).tolist(),
    "changed its input": lambda g, z, source: g.mul_(source - z).sum((0, 1, 3)),
    "exception": lambda g, z, source: (g @ (source - z)).sum((0, 1, 3)),
}
RIGHT["5.16"] = lambda g, z, source: estimate(g, source) - estimate(g, z)
