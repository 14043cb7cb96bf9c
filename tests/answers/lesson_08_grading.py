"""Answers that learners may well give to sections 3 and 4 of lesson 8, on pruning and grading."""

import itertools

import numpy as np
import torch

WRONG: dict[str, dict] = {}
RIGHT: dict = {}

# 8.5 ------------------------------------------------------------------------------------------------------------------


def loop(distance, edges, threshold, compare="now", update=False, rule=lambda rise, limit: rise < limit):
    """The loop over positions, with a list of what is kept as True and False."""
    keep = [True] * len(edges)
    first = now = distance(edges)
    for i in range(len(edges)):
        keep[i] = False
        then = distance(list(itertools.compress(edges, keep)))
        if rule(then - {"now": now, "first": first, "nothing": 0}[compare], threshold):
            now = then
        else:
            keep[i] = True
            now = then if update else now
    return list(itertools.compress(edges, keep))


def with_set(distance, edges, threshold):
    left = dict.fromkeys(edges)
    now = distance(list(left))
    for edge in edges:
        trial = {other: None for other in left if other != edge}
        then = distance(list(trial))
        if then < now + threshold:
            left, now = trial, then
    return list(left)


def measured_twice(distance, edges, threshold):
    circuit = tuple(edges)
    for edge in edges:
        smaller = tuple(other for other in circuit if other is not edge)
        if distance(list(smaller)) - distance(list(circuit)) < threshold:
            circuit = smaller
    return circuit


def looping_over_itself(distance, edges, threshold):
    now, kept = distance(edges), edges[:]
    for edge in kept:
        rest = kept[:]
        rest.remove(edge)
        if distance(rest) - now < threshold:
            kept.remove(edge)
            now = distance(kept)
    return kept


def from_the_list_itself(distance, edges, threshold):
    for edge in list(edges):
        edges.remove(edge)
        if distance(edges) >= threshold:
            edges.append(edge)
    return edges


def started_at_zero(distance, edges, threshold):
    return loop(lambda kept: 0.0 if len(kept) == len(edges) else distance(kept), edges, threshold)


def until_one_stays(distance, edges, threshold):
    rest = list(edges)
    while rest and distance(rest[1:]) - distance(rest) < threshold:
        rest = rest[1:]
    return rest


def best_first(distance, edges, threshold):
    left = list(edges)
    while left:
        costs = {edge: distance([e for e in left if e != edge]) - distance(left) for edge in left}
        edge = min(costs, key=costs.get)
        if costs[edge] >= threshold:
            return left
        left.remove(edge)
    return left


def again_and_again(distance, edges, threshold):
    left, again = None, list(edges)
    while again != left:
        left, again = again, with_set(distance, again, threshold)
    return left


WRONG["8.5"] = {
    "distance of the full list taken as 0": started_at_zero,
    "each edge alone": lambda d, edges, t: [
        edge for i, edge in enumerate(edges) if not d(edges[:i] + edges[i + 1 :]) - d(edges) < t
    ],
    "compared with the full model": lambda *a: loop(*a, compare="first"),
    "threshold on the distance itself": lambda *a: loop(*a, compare="nothing"),
    "distance updated for edges that stay": lambda *a: loop(*a, update=True),
    "equal to the threshold removed": lambda *a: loop(*a, rule=lambda rise, limit: rise <= limit),
    "size of the change": lambda *a: loop(*a, rule=lambda rise, limit: abs(rise) < limit),
    "stopped at the first edge that stays": until_one_stays,
    "cheap edges kept": lambda *a: loop(*a, rule=lambda rise, limit: rise >= limit),
    "the removed edges": lambda d, edges, t: sorted(set(edges) - set(with_set(d, edges, t))),
    "edges skipped": looping_over_itself,
    "cheapest edge first": best_first,
    "from the end": lambda d, edges, t: with_set(d, list(reversed(edges)), t)[::-1],
    "another order": lambda *a: list(reversed(with_set(*a))),
    "visited again": again_and_again,
    "returned None": lambda *a: print(with_set(*a)),
    "exception": [
        lambda d, edges, t: [edge for edge in edges if d(edge.kept) < t],
        lambda d, edges, t: edges.index(d(edges)),
    ],
    "nothing removed": lambda d, edges, t: list(edges),
    "everything removed": lambda d, edges, t: [],
    "wrong type": lambda d, edges, t: with_set(d, edges, t)[0],
}
RIGHT["8.5"] = [loop, with_set, measured_twice, lambda *a: tuple(loop(*a))]


# 8.6 ------------------------------------------------------------------------------------------------------------------


def reach(start, pairs, rounds=None):
    """Names that are reached from ``start`` along pairs (from, to)."""
    seen, frontier = {start}, {start}
    while frontier and rounds != 0:
        frontier = {b for a, b in pairs if a in frontier} - seen
        seen |= frontier
        rounds = None if rounds is None else rounds - 1
    return seen


def both_ways(edges, rounds=None, keep=lambda forward, backward: forward and backward):
    forward = reach("embedding", [(sender, receiver) for sender, receiver, _ in edges], rounds)
    backward = reach("logits", [(receiver, sender) for sender, receiver, _ in edges], rounds)
    return [edge for edge in edges if keep(edge[0] in forward, edge[1] in backward)]


def cut_dead_ends(edges):
    """Remove edges from nowhere and to nowhere until none is left."""
    left = list(edges)
    while True:
        written = {"embedding", *(receiver for _, receiver, _ in left)}
        read = {"logits", *(sender for sender, _, _ in left)}
        smaller = [edge for edge in left if edge[0] in written and edge[1] in read]
        if smaller == left:
            return left
        left = smaller


def cut_once(edges):
    written = ["embedding"] + [edge[1] for edge in edges]
    read = ["logits"] + [edge[0] for edge in edges]
    return list(filter(lambda edge: edge[0] in written and edge[1] in read, edges))


def recursive(edges):
    def comes(name):
        return name == "embedding" or any(comes(edge[0]) for edge in edges if edge[1] == name)

    def goes(name):
        return name == "logits" or any(goes(edge[1]) for edge in edges if edge[0] == name)

    return [edge for edge in edges if comes(edge[0]) and goes(edge[1])]


def single_pass(edges):
    start, end = ["embedding"], ["logits"]
    for edge in edges:
        start += [edge[1]] if edge[0] in start else []
    for edge in edges[::-1]:
        end += [edge[0]] if edge[1] in end else []
    return [edge for edge in edges if edge[0] in start and edge[1] in end]


def single_pass_forwards(edges):
    start, end = ["embedding"], ["logits"]
    for sender, receiver, _ in edges:
        if sender in start:
            start.append(receiver)
        if receiver in end:
            end.append(sender)
    return [edge for edge in edges if edge[0] in start and edge[1] in end]


def one_port(edges):
    by_pair = {}
    for edge in cut_dead_ends(edges):
        by_pair.setdefault(edge[:2], edge)
    return list(by_pair.values())


def level_by_level(edges):
    level, back = {"embedding"}, []
    while level and "logits" not in level:
        back.append([edge for edge in edges if edge[0] in level])
        level = {edge[1] for edge in back[-1]}
    used, level = [], {"logits"} & level
    for step in back[::-1]:
        used += [edge for edge in step if edge[1] in level]
        level = {edge[0] for edge in step if edge[1] in level}
    return [edge for edge in edges if edge in used]


WRONG["8.6"] = {
    "dead ends kept": lambda edges: both_ways(edges, keep=lambda forward, backward: forward),
    "edges from nowhere kept": lambda edges: both_ways(edges, keep=lambda forward, backward: backward),
    "one end suffices": lambda edges: both_ways(edges, keep=lambda forward, backward: forward or backward),
    "one pass": [single_pass, single_pass_forwards],
    "one round": lambda edges: both_ways(edges, rounds=1),
    "neighbours only": cut_once,
    "shortest path only": level_by_level,
    "one port per receiver": one_port,
    "edges off the paths": lambda edges: both_ways(edges, keep=lambda f, b: not (f and b)),
    "first and last edges": lambda edges: [
        edge for edge in cut_dead_ends(edges) if edge[0] in ("embedding",) or edge[1] in ("logits",)
    ],
    "another order": lambda edges: sorted(both_ways(edges)),
    "returned None": lambda edges: both_ways(edges).clear(),
    "exception": lambda edges: [edge for edge in edges if edge.sender in reach("embedding", edges)],
    "all edges": lambda edges: edges,
    "no edge": lambda edges: [],
    "not an edge": lambda edges: [edge[:2] for edge in both_ways(edges)],
    "an edge twice": lambda edges: [edge for edge in both_ways(edges) for _ in range(2)],
    "ends exchanged": lambda edges: [
        edge
        for edge in edges
        if edge[0] in reach("logits", [(b, a) for a, b, _ in edges])
        and edge[1] in reach("embedding", [(a, b) for a, b, _ in edges])
    ],
}
RIGHT["8.6"] = [
    both_ways,
    cut_dead_ends,
    recursive,
    lambda edges: tuple(both_ways(edges)),
    lambda edges: [list(edge) for edge in both_ways(edges)],
]


# 8.7 ------------------------------------------------------------------------------------------------------------------


def hits_of(scores, truth, n, key=lambda size: -abs(size)):
    ranked = sorted(range(len(scores)), key=lambda i: key(scores[i].item()))
    return sum(bool(truth[i]) for i in ranked[:n])


def by_topk(scores, truth, n):
    found = torch.zeros_like(truth)
    found[scores.abs().topk(n).indices] = True
    hits = (found & truth).sum()
    return torch.tensor([hits / found.sum(), hits / truth.sum()])


def grades(grade, **settings):
    return lambda s, t, n: torch.tensor(
        [float(part) for part in grade(hits_of(s, t, n, **settings), n, int(t.sum()), len(s))]
    )


def usual(hits, n, true, edges):
    return hits / n, hits / true


WRONG["8.7"] = {
    "signed scores": grades(usual, key=lambda score: -score),
    "most negative first": grades(usual, key=lambda score: score),
    "weakest edges": grades(usual, key=abs),
    "recall first": lambda *a: by_topk(*a).flip(0),
    "precision twice": lambda *a: by_topk(*a)[0].repeat(2),
    "recall twice": lambda *a: by_topk(*a)[[1, 1]],
    "fraction of all edges": grades(lambda hits, n, true, edges: (hits / n, hits / edges)),
    "accuracy": grades(lambda hits, n, true, edges: (1 - (n + true - 2 * hits) / edges, hits / true)),
    "numbers of hits": grades(lambda hits, n, true, edges: (hits, hits)),
    "true edges alone": lambda s, t, n: torch.tensor([1, min(n, t.sum()) / t.sum()]),
    "errors": grades(lambda hits, n, true, edges: (1 - hits / n, 1 - hits / true)),
    "mean over grade": lambda *a: by_topk(*a).mean(),
    "wrong type": [lambda *a: tuple(by_topk(*a)), lambda *a: by_topk(*a).tolist()],
    "exception": lambda s, t, n: by_topk(s, t, n / t),
}
RIGHT["8.7"] = [
    by_topk,
    grades(usual),
    lambda s, t, n: torch.from_numpy(
        t.numpy()[np.argsort(-np.abs(s.numpy()))[:n]].sum() / np.array([n, t.numpy().sum()])
    ),
]


# 8.8 ------------------------------------------------------------------------------------------------------------------


def curve(sizes, truth):
    """(edges taken, true edges taken) at each distinct size."""
    points, taken, hits = [], 0, 0
    for _, group in itertools.groupby(
        sorted(zip(sizes.tolist(), truth.tolist()), reverse=True), lambda e: e[0]
    ):
        of_size = [is_true for _, is_true in group]
        taken, hits = taken + len(of_size), hits + sum(of_size)
        points.append((taken, hits))
    return torch.tensor(points).float().T


def by_curve(sizes, truth, area=lambda precision, rise: (precision * rise).sum()):
    taken, hits = curve(sizes, truth)
    return area(hits / taken, torch.diff(hits / hits[-1], prepend=torch.zeros(1)))


def one_by_one(sizes, truth, order):
    is_true = truth[order].float()
    precision = is_true.cumsum(0) / torch.arange(1, len(truth) + 1)
    return precision[is_true.bool()].mean()


def end_of_tie(sizes, truth):
    """The mean over the true edges of the precision at the end of their tie."""
    return torch.stack([truth[sizes >= size].float().mean() for size in sizes[truth]]).mean()


def by_numpy(sizes, truth):
    sizes, truth = sizes.numpy(), truth.numpy()
    return float(np.mean([truth[sizes >= size].mean() for size in sizes[truth]]))


WRONG["8.8"] = {
    "ties in the order of the list": lambda s, t: one_by_one(s, t, torch.sort(-s, stable=True).indices),
    "true edges first in a tie": lambda s, t: one_by_one(s, t, (-s - t / 3).argsort()),
    "smallest first": lambda s, t: by_curve(s.max() - s, t),
    "mean over the sizes": lambda *a: by_curve(*a, lambda precision, rise: precision.mean()),
    "trapezoids": lambda *a: by_curve(*a, lambda p, rise: ((p[1:] + p[:-1]) / 2 * rise[1:]).sum()),
    "trapezoids from 1": lambda *a: by_curve(
        *a, lambda p, rise: ((p + torch.cat([torch.ones(1), p[:-1]])) / 2 * rise).sum()
    ),
    "precision of one size alone": lambda s, t: torch.stack(
        [t[s == size].float().mean() for size in s[t]]
    ).mean(),
    "larger sizes only": lambda s, t: torch.stack(
        [t[s > size].sum() / (s > size).sum().clamp(min=1) for size in s[t]]
    ).mean(),
    "recall instead of its rise": lambda *a: by_curve(*a, lambda p, rise: p @ rise.cumsum(0)),
    "not divided by the true edges": lambda s, t: end_of_tie(s, t) * t.sum(),
    "weighted by edges": lambda s, t: torch.stack([t[s >= size].float().mean() for size in s]).mean(),
    "area under ROC": lambda s, t: torch.tensor(
        [(a > b) + (a == b) / 2 for a in s[t].tolist() for b in s[~t].tolist()]
    ).mean(),
    "precision by size": lambda *a: by_curve(*a, lambda precision, rise: precision * rise),
    "returned None": lambda *a: print(end_of_tie(*a)),
    "exception": lambda s, t: (s @ t).mean(),
}
RIGHT["8.8"] = [by_curve, end_of_tie, by_numpy]
