"""Exercise 8.5: greedy pruning, the loop of ACDC."""

from collections.abc import Callable

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.lesson_08.edge_lists import as_membership


def greedy_pruning(distance: Callable[[list], float], edges: list, threshold: float) -> list:
    """Visit the edges in order; remove each that raises the distance by less than the threshold.

    ``distance(kept)`` is the distance to the full model with only these edges. Returns the edges
    that are left, in the order of ``edges`` (Conmy et al. 2023, algorithm 1).
    """
    kept, now = list(edges), distance(edges)
    for edge in edges:
        without = [other for other in kept if other != edge]
        then = distance(without)
        if then - now < threshold:
            kept, now = without, then
    return kept


def _pruned(stays=lambda then, now, start, threshold: then - now >= threshold, always=False, stop=False):
    """The loop with another rule; ``always``: the distance is updated for edges that stay, too."""

    def prune(distance, edges, threshold):
        kept, start = list(edges), distance(edges)
        now = start
        for edge in edges:
            without = [other for other in kept if other != edge]
            then = distance(without)
            if stays(then, now, start, threshold):
                now = then if always else now
                if stop:
                    break
            else:
                kept, now = without, then
        return kept

    return prune


def _from_zero(distance, edges, threshold):
    """Takes the distance of the full list as 0."""
    full = list(edges)
    return greedy_pruning(lambda kept: 0.0 if kept == full else distance(kept), edges, threshold)


def _alone(distance, edges, threshold):
    start = distance(edges)
    others = {edge: [other for other in edges if other != edge] for edge in edges}
    return [edge for edge in edges if distance(others[edge]) - start >= threshold]


def _skipping(distance, edges, threshold):
    """Removes from the list over which it loops."""
    kept, now = list(edges), distance(edges)
    for edge in kept:
        then = distance([other for other in kept if other != edge])
        if then - now < threshold:
            kept.remove(edge)
            now = then
    return kept


def _until_nothing_changes(distance, edges, threshold):
    left, before = greedy_pruning(distance, edges, threshold), edges
    while left != before:
        left, before = greedy_pruning(distance, left, threshold), left
    return left


def _cheapest_first(distance, edges, threshold):
    kept, now = list(edges), distance(edges)
    while kept:
        rest = [[other for other in kept if other != edge] for edge in kept]
        least = min(rest, key=distance)
        if distance(least) - now >= threshold:
            break
        kept, now = least, distance(least)
    return kept


def _backwards(distance, edges, threshold):
    left = greedy_pruning(distance, edges[::-1], threshold)
    return [edge for edge in edges if edge in left]


EDGES = list("pqrstuv")
COSTS = dict(zip(EDGES, (0.4375, 3.0, 0.25, 0.5, -2.0, 0.375, 0.0)))


def _sum(kept) -> float:
    return float(sum(cost for edge, cost in COSTS.items() if edge not in kept))


def _or(kept) -> float:
    """One of "p" and "s" suffices, and one of "r" and "v"; "t" and "p" have a cost of their own."""
    branches = 8.0 * (not {"p", "s"} & set(kept)) + 4.0 * (not {"r", "v"} & set(kept))
    return branches + ("t" not in kept) + 0.25 * ("p" not in kept)


def _and(kept) -> float:
    """Two branches of two edges, of which one suffices."""
    return 5.0 * (not ({"p", "q"} <= set(kept) or {"r", "s"} <= set(kept)))


def _gaps(kept) -> float:
    """Removing an edge may bring the distance down again."""
    return abs(
        1.5 + sum({"p": 1.0, "r": -2.0, "s": 1.25, "v": 0.75}.get(e, 0) for e in EDGES if e not in kept)
    )


def _late(kept) -> float:
    """Edge "p" is needed while "u" is there, and "u" costs less than the threshold."""
    return 1.0 * ("p" not in kept and "u" in kept) + 0.25 * ("u" not in kept)


def _known_circuits(trial: Trial) -> None:
    """Known circuits: costs that add up, branches, distances that fall or begin above 0."""
    cases = {
        "costs that add up": (_sum, 0.5, "qs"),
        "costs that add up, a low threshold": (_sum, 0.3, "pqsu"),
        "threshold 0": (_sum, 0.0, "pqrsuv"),
        "everything is cheap": (_sum, 10.0, ""),
        "one of two suffices": (_or, 1.5, "sv"),
        "branches of two edges": (_and, 1.0, "rs"),
        "a distance that falls": (_gaps, 0.2, "ps"),
        "an edge that a later one needs": (_late, 0.5, "p"),
        "a full model at distance 9": (lambda kept: 9 + _or(kept), 0.5, "stv"),
    }
    for what, (distance, threshold, left) in cases.items():
        trial.behaves(
            lambda function, distance=distance, threshold=threshold: as_membership(
                function(distance, list(EDGES), threshold), EDGES
            ),
            as_membership(list(left), EDGES),
            "edge",
            what=f"{what} (1: the edge is left)",
        )


EXERCISE = Exercise(
    id="8.5",
    title="greedy pruning",
    minutes=7,
    difficulty=2,
    hints=(
        "Begin with all edges and their distance. For each edge measure the distance of what is kept now without this edge.",
        "Compare with the distance of what is kept now. If the difference is less than the threshold, both the list and the distance change. Else neither changes.",
        "`without = [other for other in kept if other != edge]` makes a new list, so the loop over `edges` misses no edge.",
    ),
    reference=greedy_pruning,
    tests=(_known_circuits,),
    mistakes=(
        Mistake(
            "distance of the full list taken as 0",
            "measure `distance(edges)` before the first visit: it need not be 0.",
            _from_zero,
        ),
        Mistake("nothing removed", "this returns all edges.", lambda distance, edges, threshold: list(edges)),
        Mistake("everything removed", "this returns no edge.", lambda distance, edges, threshold: []),
        Mistake(
            "each edge alone",
            "edges that are removed stay removed: measure the next edge without them.",
            _alone,
        ),
        Mistake(
            "compared with the full model",
            "compare with the distance of what is kept now, which changes with every removed edge.",
            _pruned(lambda then, now, start, threshold: then - start >= threshold),
        ),
        Mistake(
            "threshold on the distance itself",
            "compare the rise of the distance with the threshold, not the distance.",
            _pruned(lambda then, now, start, threshold: then >= threshold),
        ),
        Mistake(
            "distance updated for edges that stay",
            "if an edge stays, the distance of what is kept has not changed.",
            _pruned(always=True),
        ),
        Mistake(
            "equal to the threshold removed",
            "an edge that costs exactly the threshold stays.",
            _pruned(lambda then, now, start, threshold: then - now > threshold),
        ),
        Mistake(
            "size of the change",
            "an edge whose removal brings the distance down is removed, however large the change.",
            _pruned(lambda then, now, start, threshold: abs(then - now) >= threshold),
        ),
        Mistake(
            "stopped at the first edge that stays",
            "go on: a later edge may be removable.",
            _pruned(stop=True),
        ),
        Mistake(
            "cheap edges kept",
            "remove the edges that cost little and keep the others.",
            _pruned(lambda then, now, start, threshold: then - now < threshold),
        ),
        Mistake(
            "the removed edges",
            "return the edges that are left.",
            lambda distance, edges, threshold: [
                edge for edge in edges if edge not in greedy_pruning(distance, edges, threshold)
            ],
        ),
        Mistake(
            "edges skipped",
            "the loop runs over the list from which it removes, so it skips edges. Loop over `edges`, and remove from a copy.",
            _skipping,
        ),
        Mistake(
            "cheapest edge first",
            "visit the edges in their order, each once. Searching for the cheapest edge takes far more runs.",
            _cheapest_first,
        ),
        Mistake(
            "visited again",
            "visit each edge once: an edge that stayed at its visit stays.",
            _until_nothing_changes,
        ),
        Mistake("from the end", "visit the edges in their order, from the first.", _backwards),
    ),
)
