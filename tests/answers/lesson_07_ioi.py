"""Answers that learners may well give to section 4 of lesson 7, on indirect object identification."""

import itertools

import torch

WRONG: dict[str, dict] = {}
RIGHT: dict = {}

# 7.9 ------------------------------------------------------------------------------------------------------------------


def effects(outputs, scale, direction, mean=True):
    products = torch.einsum("hpm,pm,p->hp", outputs, direction, 1 / scale)
    return products.mean(1) if mean else products.sum(1)


def two(first, second):
    return lambda *a: torch.stack((first(*a), second(*a)))


def right_parts(before, after, s, t, direction):
    fixed = effects(after, s, direction)
    return torch.stack((fixed - effects(before, s, direction), effects(after, t, direction) - fixed))


def total(before, after, s, t, direction):
    return effects(after, t, direction) - effects(before, s, direction)


WRONG["7.9"] = {
    "first part with the new scale": lambda b, a, s, t, d: torch.stack(
        (effects(a - b, t, d), effects(b, t, d) - effects(b, s, d))
    ),
    "second part with the old output": lambda b, a, s, t, d: torch.stack(
        (effects(a - b, s, d), effects(b, 1 / (1 / t - 1 / s), d))
    ),
    "the whole change as first part": two(total, lambda *x: right_parts(*x)[1]),
    "the whole change as second part": two(lambda *x: right_parts(*x)[0], total),
    "parts exchanged": lambda *x: right_parts(*x).flip(0),
    "before minus after": lambda b, a, s, t, d: right_parts(b, a, s, t, -d),
    "scales exchanged": lambda b, a, s, t, d: right_parts(b, a, t, s, d),
    "mean scale": lambda b, a, s, t, d: right_parts(b, a, *(x.mean().expand(len(x)) for x in (s, t)), d),
    "mean direction": lambda b, a, s, t, d: right_parts(b, a, s, t, d.mean(0).repeat(len(d), 1)),
    "without the scale": lambda b, a, s, t, d: right_parts(b, a, s / s, t / t, d),
    "summed over prompts": lambda b, a, s, t, d: torch.stack(
        (effects(a - b, s, d, False), effects(a, t, d, False) - effects(a, s, d, False))
    ),
    "heads as rows": lambda *x: torch.stack(tuple(right_parts(*x)), dim=1),
    "sizes of the changes": lambda *x: (right_parts(*x) ** 2).sqrt(),
    "wrong values": lambda b, a, s, t, d: torch.stack(
        (effects(a, t, d) - effects(b, t, d), effects(a, t, d) - effects(a, s, d))
    ),
    "exception": lambda b, a, s, t, d: (a / t - b / s) @ d,
}
RIGHT["7.9"] = [
    right_parts,
    two(
        lambda b, a, s, t, d: torch.stack([((y - x) * d).sum(1).div(s).mean() for x, y in zip(b, a)]),
        lambda b, a, s, t, d: ((a @ d.mT[None]).diagonal(dim1=1, dim2=2) * (1 / t - 1 / s)).mean(-1),
    ),
]


# 7.11 -----------------------------------------------------------------------------------------------------------------


def ranked(measure, members, size):
    scores = [measure([[head]])[0] for head in members]
    return [members[i] for i in sorted(range(len(members)), key=lambda i: -scores[i])][:size]


def every_subset(measure, members, size):
    return max(map(list, itertools.combinations(members, size)), key=lambda heads: measure([heads])[0])


def step_by_step(measure, members, size, pick=max, stop=False):
    chosen = []
    while len(chosen) < size:
        gains = {head: measure([[*chosen, head]])[0].item() for head in members if head not in chosen}
        best = pick(gains, key=gains.get)
        if stop and chosen and gains[best] <= measure([chosen])[0].item():
            return chosen
        chosen = [*chosen, best]
    return chosen


def from_zero(measure, members, size):
    """A loop in which 0 is the least that a difference of two sizes can be."""
    found = []
    for _ in range(size):
        best, place = 0.0, None
        for head in members:
            if head not in found and (value := measure([[*found, head]]).item()) > best:
                best, place = value, head
        found.append(place)
    return found


def taken_away(measure, members, size):
    left = list(members)
    while len(left) > size:
        keeps = [left[:i] + left[i + 1 :] for i in range(len(left))]
        left = max(keeps, key=lambda keep: measure([keep])[0])
    return left


def wrong_number(measure, members, size):
    rest, chosen = list(members), []
    for _ in range(size):
        i = int(measure([[*chosen, head] for head in rest]).argmax())
        chosen.append(members[i])
        rest = [head for head in rest if head != members[i]]
    return chosen


def rest_alone(measure, members, size):
    """Scores of what stays behind."""
    chosen = []
    for _ in range(size):
        options = [head for head in members if head not in chosen]
        left = [[head for head in members if head not in chosen and head != option] for option in options]
        chosen.append(options[measure(left).argmax()])
    return chosen


WRONG["7.11"] = {
    "each head alone": ranked,
    "all subsets tried": every_subset,
    "removed one by one": taken_away,
    "the least incomplete subset": lambda *a: step_by_step(*a, pick=min),
    "stopped early": lambda *a: step_by_step(*a, stop=True),
    "index into all members": wrong_number,
    "the complement": rest_alone,
    "sorted": lambda *a: sorted(step_by_step(*a), key=lambda head: head),
    "last choice first": lambda *a: list(reversed(step_by_step(*a))),
    "last among equal ones": lambda measure, members, size: step_by_step(measure, members[::-1], size),
    "one subset": [
        lambda measure, members, size: [max(members, key=lambda head: measure([head])) for _ in range(size)],
        lambda measure, members, size: [members[measure(members).argmax()]] * size,
    ],
    "returned None": lambda measure, members, size: [step_by_step(measure, members, size)].clear(),
    "exception": [
        lambda measure, members, size: [max(members, key=measure) for _ in range(size)],
        lambda measure, members, size: measure([members])[size:].item(),
    ],
}
RIGHT["7.11"] = [
    step_by_step,
    from_zero,
    lambda measure, members, size: torch.tensor(step_by_step(measure, members, size)),
    lambda measure, members, size: tuple(step_by_step(measure, list(members), size)),
]


# 7.10 -----------------------------------------------------------------------------------------------------------------


def sample_by_sample(circuit, nothing, full, templates, draws, upper=None, lower=None):
    ratios = []
    for row in draws:
        prompts = torch.cat([(templates == template).nonzero()[:, 0] for template in row])
        tops = (circuit - nothing if upper is None else upper)[prompts]
        bottoms = (full - nothing if lower is None else lower)[prompts]
        ratios.append(tops.sum() / bottoms.sum())
    return torch.stack(ratios)


def distinct(circuit, nothing, full, templates, draws):
    masks = [torch.isin(templates, row) for row in draws]
    return torch.stack([(circuit - nothing)[mask].mean() / (full - nothing)[mask].mean() for mask in masks])


def of_groups(circuit, nothing, full, templates, draws, combine):
    numbers = templates.unique()
    gained, possible = (
        torch.stack([values[templates == number].mean() for number in numbers])
        for values in (circuit - nothing, full - nothing)
    )
    return combine(gained, possible, torch.searchsorted(numbers, draws))


WRONG["7.10"] = {
    "drawn twice, counted once": distinct,
    "denominator of all prompts": lambda c, n, f, t, d: (
        sample_by_sample(c, n, f, t, d, lower=torch.ones_like(c)) / (f - n).mean()
    ),
    "mean of ratios": lambda c, n, f, t, d: sample_by_sample(
        c, n, f, t, d, upper=(c - n) / (f - n), lower=torch.ones_like(c)
    ),
    "mean of the templates' ratios": lambda *a: of_groups(*a, lambda g, p, i: (g / p)[i].mean(1)),
    "every template with equal weight": lambda *a: of_groups(*a, lambda g, p, i: g[i].sum(1) / p[i].sum(1)),
    "not measured from nothing": lambda c, n, f, t, d: sample_by_sample(c, 0 * n, f, t, d),
    "nothing subtracted once": lambda c, n, f, t, d: sample_by_sample(c, n, f, t, d, lower=f),
    "what is missing": lambda *a: 1 - sample_by_sample(*a),
    "prompts drawn, not templates": lambda c, n, f, t, d: (c - n)[d].mean(1) / (f - n)[d].mean(1),
    "upside down": lambda *a: 1 / sample_by_sample(*a),
    "cut off": lambda *a: sample_by_sample(*a).clip(0, 1),
    "one number": lambda *a: sample_by_sample(*a).mean(),
    "sorted": lambda *a: torch.tensor(sorted(sample_by_sample(*a).tolist())),
    "wrong type": lambda *a: sample_by_sample(*a).tolist(),
    "wrong shape": lambda *a: sample_by_sample(*a).quantile(torch.tensor([0.025, 0.975])),
    "wrong values": lambda c, n, f, t, d: sample_by_sample(c, n.mean().expand(len(n)), f, t, d),
}
RIGHT["7.10"] = [
    sample_by_sample,
    lambda c, n, f, t, d: torch.stack(
        [sum((c - n)[t == k].sum() for k in row) / sum((f - n)[t == k].sum() for k in row) for row in d]
    ),
]
