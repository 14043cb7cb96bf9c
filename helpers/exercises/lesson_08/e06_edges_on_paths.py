"""Exercise 8.6: edges on a path from the embedding to the logits."""

import itertools

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.exercises.lesson_08.edge_lists import as_membership


def edges_on_paths(edges: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Edges (sender, receiver, port) on a path of these edges from "embedding" to "logits".

    The order is that of ``edges``.
    """
    reached, needed = {"embedding"}, {"logits"}
    for _ in edges:  # a path has at most this many edges
        reached |= {receiver for sender, receiver, port in edges if sender in reached}
        needed |= {sender for sender, receiver, port in edges if receiver in needed}
    return [edge for edge in edges if edge[0] in reached and edge[1] in needed]


def _ends(edges, rounds=None) -> tuple[set, set]:
    """Components that the embedding reaches, and components that reach the logits."""
    reached, needed = {"embedding"}, {"logits"}
    for _ in range(len(edges) if rounds is None else rounds):
        reached |= {receiver for sender, receiver, _ in edges if sender in reached}
        needed |= {sender for sender, receiver, _ in edges if receiver in needed}
    return reached, needed


def _in_one_pass(edges):
    """Sets that grow edge by edge, in the order of the list, in a single pass each."""
    reached, needed = {"embedding"}, {"logits"}
    for sender, receiver, _ in edges:
        if sender in reached:
            reached.add(receiver)
    for sender, receiver, _ in reversed(edges):
        if receiver in needed:
            needed.add(sender)
    return [edge for edge in edges if edge[0] in reached and edge[1] in needed]


def _in_one_pass_forwards(edges):
    """Both sets in one pass each, from the start of the list."""
    reached, needed = {"embedding"}, {"logits"}
    for sender, receiver, _ in edges:
        if sender in reached:
            reached.add(receiver)
    for sender, receiver, _ in edges:
        if receiver in needed:
            needed.add(sender)
    return [edge for edge in edges if edge[0] in reached and edge[1] in needed]


def _neighbours(edges):
    """Edges whose sender is written to, and whose receiver is read."""
    written = {receiver for _, receiver, _ in edges} | {"embedding"}
    read = {sender for sender, _, _ in edges} | {"logits"}
    return [edge for edge in edges if edge[0] in written and edge[1] in read]


def _of_one_port(edges):
    paths = edges_on_paths(edges)
    return [edge for i, edge in enumerate(paths) if edge[:2] not in [other[:2] for other in paths[:i]]]


def _shortest(edges):
    """Edges on a path with no more edges than the shortest path."""
    paths = [[edge] for edge in edges if edge[0] == "embedding"]
    while paths and not any(path[-1][1] == "logits" for path in paths):
        paths = [[*path, edge] for path in paths for edge in edges if edge[0] == path[-1][1]]
    used = [edge for path in paths if path[-1][1] == "logits" for edge in path]
    return [edge for edge in edges if edge in used]


def _by_search(edges: list) -> list:
    """Oracle: follow every path."""
    found, paths = set(), [[edge] for edge in edges if edge[0] == "embedding"]
    while paths:
        path = paths.pop()
        if path[-1][1] == "logits":
            found.update(path)
        paths += [[*path, edge] for edge in edges if edge[0] == path[-1][1]]
    return [edge for edge in edges if edge in found]


def _random_edges(seed: int, fraction: float) -> list[tuple[str, str, str]]:
    """Some of the edges of a model with four layers of two heads, in random order."""
    parts = ["embedding", *(f"{layer}.{head}" for layer in range(4) for head in range(2)), "logits"]
    pairs = [
        (sender, receiver, port)
        for sender, receiver in itertools.combinations(parts, 2)
        if sender[0] != receiver[0]
        for port in ("qv" if receiver != "logits" else [""])
    ]
    chosen = [pairs[i] for i in torch.randperm(len(pairs), generator=generator(seed)).tolist()]
    return chosen[: round(fraction * len(pairs))]


SMALL = [
    ("1.2", "logits", ""),
    ("0.1", "1.2", "k"),
    ("embedding", "0.1", "v"),
    ("embedding", "0.3", "v"),  # goes nowhere
    ("0.4", "1.2", "q"),  # comes from nowhere
    ("0.1", "1.2", "q"),
    ("0.4", "1.5", "v"),  # neither
]


def _known_graphs(trial: Trial) -> None:
    """Oracle: all paths followed one by one; a small graph, random ones, one without a path."""
    cases = {"a small graph": SMALL, "no path": SMALL[1:], "one edge": [("embedding", "logits", "")]}
    cases |= {f"{f:.0%} of all edges": _random_edges(seed, f) for seed, f in enumerate((0.15, 0.2, 0.3))}
    long = [
        ("embedding", "0.0", "v"),
        *((f"{i}.0", f"{i + 1}.0", "v") for i in range(9)),
        ("9.0", "logits", ""),
    ]
    cases |= {"one long path": long, "one long path, listed from its end": long[::-1]}
    for what, edges in cases.items():
        trial.behaves(
            lambda function, edges=edges: as_membership(function(list(edges)), edges),
            as_membership(_by_search(edges), edges),
            "edge",
            what=f"{what} (1: the edge is on a path)",
        )


EXERCISE = Exercise(
    id="8.6",
    title="edges on a path",
    minutes=6,
    difficulty=2,
    hints=(
        "An edge is on a path if the embedding reaches its sender, and its receiver reaches the logits. So collect two sets of components.",
        'Begin with `reached = {"embedding"}`. For each edge whose sender is reached, its receiver is reached, too. Repeat until nothing is new.',
        "The second set grows in the same way from the logits, against the direction of the edges. As many rounds as there are edges suffice.",
    ),
    reference=edges_on_paths,
    tests=(_known_graphs,),
    mistakes=(
        Mistake(
            "dead ends kept",
            "the receiver of an edge must reach the logits, too.",
            lambda edges: [edge for edge in edges if edge[0] in _ends(edges)[0]],
        ),
        Mistake(
            "edges from nowhere kept",
            "the embedding must reach the sender of an edge, too.",
            lambda edges: [edge for edge in edges if edge[1] in _ends(edges)[1]],
        ),
        Mistake(
            "one end suffices",
            "both are needed: a way from the embedding, and a way on to the logits.",
            lambda edges: [
                edge for edge in edges if edge[0] in _ends(edges)[0] or edge[1] in _ends(edges)[1]
            ],
        ),
        Mistake(
            "one pass",
            "the edges come in any order: repeat until no component is new.",
            _in_one_pass,
        ),
        Mistake(
            "one pass",
            "the edges come in any order: repeat until no component is new.",
            _in_one_pass_forwards,
        ),
        Mistake(
            "one round",
            "repeat until no component is new: a path may be long.",
            lambda edges: [
                edge for edge in edges if edge[0] in _ends(edges, 1)[0] and edge[1] in _ends(edges, 1)[1]
            ],
        ),
        Mistake(
            "neighbours only",
            "that the sender is written to and the receiver is read does not suffice. Follow the edges to both ends.",
            _neighbours,
        ),
        Mistake("shortest path only", "keep the edges of all paths, long ones, too.", _shortest),
        Mistake(
            "one port per receiver",
            "edges to different ports of a head are different edges.",
            _of_one_port,
        ),
        Mistake(
            "edges off the paths",
            "return the edges on a path, not the others.",
            lambda edges: [edge for edge in edges if edge not in edges_on_paths(edges)],
        ),
        Mistake(
            "first and last edges",
            "the edges between are on the path, too.",
            lambda edges: [
                edge for edge in edges_on_paths(edges) if edge[0] == "embedding" or edge[1] == "logits"
            ],
        ),
        Mistake("all edges", "this returns all edges: leave out those on no path.", list),
        Mistake("no edge", "this returns no edge.", lambda edges: []),
        Mistake(
            "ends exchanged",
            "the embedding must reach the sender, and the receiver must reach the logits, not the reverse.",
            lambda edges: [
                edge for edge in edges if edge[0] in _ends(edges)[1] and edge[1] in _ends(edges)[0]
            ],
        ),
    ),
)
