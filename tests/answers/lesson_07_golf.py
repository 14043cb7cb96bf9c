"""Answers that learners of lesson 7 may well give: circuit golf."""

import torch

WRONG: dict[str, dict] = {}
RIGHT: dict = {}

# 7.12 -----------------------------------------------------------------------------------------------------------------


def table(circuit, nothing, full, cell, mean=lambda values: sum(values) / len(values)):
    """Rows (circuit, nothing, full) of every cell, as lists."""
    members = {}
    for row in zip(circuit.tolist(), nothing.tolist(), full.tolist(), cell.tolist()):
        members.setdefault(row[3], []).append(row[:3])
    return [[mean(column) for column in zip(*rows)] for rows in members.values()]


def of_table(formula, **options):
    return lambda c, n, f, cell: torch.tensor(formula(table(c, n, f, cell, **options)))


def gap(rows):
    return sum(abs(c - f) for c, _, f in rows)


def effect(rows):
    return sum(abs(f - n) for _, n, f in rows)


def per_prompt(c, n, f, cell):
    return 1 - torch.linalg.vector_norm(c - f, 1) / torch.linalg.vector_norm(f - n, 1)


def labels_from_0(c, n, f, cell):
    top = bottom = 0
    for number in range(len(cell.unique())):
        if (cell == number).any():
            means = [x[cell == number].mean() for x in (c, n, f)]
            top, bottom = top + abs(means[0] - means[2]), bottom + abs(means[2] - means[1])
    return 1 - top / bottom


def ratio_per_prompt(c, n, f, cell):
    return (1 - abs(c - f) / abs(f - n)).mean()


def averaging_matrix(c, n, f, cell):
    members = (cell == cell.unique()[:, None]).float()
    members = members / members.sum(dim=1, keepdim=True)
    return 1 - (members @ (c - f)).abs().sum() / (members @ (f - n)).abs().sum()


def by_scatter(c, n, f, cell):
    counts = torch.bincount(cell)
    sums = [torch.zeros(len(counts)).index_add(0, cell, x) / counts.clamp(min=1) for x in (c, n, f)]
    return 1 - (sums[0] - sums[2]).abs().sum() / (sums[2] - sums[1]).abs().sum()


WRONG["7.12"] = {
    "cells cancel": [
        of_table(lambda rows: 1 - abs(sum(c - f for c, _, f in rows)) / abs(sum(f - n for _, n, f in rows))),
    ],
    "no absolute values": [
        of_table(lambda rows: sum(c - n for c, n, _ in rows) / sum(f - n for _, n, f in rows)),
    ],
    "absolute value above the line only": of_table(
        lambda rows: 1 - gap(rows) / sum(f - n for _, n, f in rows)
    ),
    "every prompt its own cell": per_prompt,
    "mean of ratios": of_table(lambda rows: sum(1 - abs(c - f) / abs(f - n) for c, n, f in rows) / len(rows)),
    "not measured from nothing": of_table(lambda rows: 1 - gap(rows) / sum(abs(f) for _, _, f in rows)),
    "what is missing": of_table(lambda rows: gap(rows) / effect(rows)),
    "overshooting rewarded": of_table(lambda rows: sum(abs(c - n) for c, n, _ in rows) / effect(rows)),
    "squares": of_table(
        lambda rows: 1 - sum((c - f) ** 2 for c, _, f in rows) / sum((f - n) ** 2 for _, n, f in rows)
    ),
    "cut off at 0": of_table(lambda rows: max(0.0, 1 - gap(rows) / effect(rows))),
    "sums instead of means": of_table(lambda rows: 1 - gap(rows) / effect(rows), mean=sum),
    "labels taken for 0, 1, 2, …": labels_from_0,
    "one number per cell": [
        lambda c, n, f, cell: torch.tensor([1 - abs(x - z) / abs(z - y) for x, y, z in table(c, n, f, cell)]),
    ],
    "wrong values": [
        ratio_per_prompt,
        of_table(lambda rows: 1 - gap(rows) / len(rows)),
        lambda c, n, f, cell: (c.mean() - n.mean()) / (f.mean() - n.mean()) * 1.01,
    ],
    "opposite sign": of_table(lambda rows: gap(rows) / effect(rows) - 1),
    "wrong shape": lambda c, n, f, cell: 1 - (c - f).abs() / (f - n).abs(),
}
RIGHT["7.12"] = [
    of_table(lambda rows: 1 - gap(rows) / effect(rows)),
    averaging_matrix,
    by_scatter,
    lambda c, n, f, cell: 1 - gap(table(c, n, f, cell)) / effect(table(c, n, f, cell)),
]
