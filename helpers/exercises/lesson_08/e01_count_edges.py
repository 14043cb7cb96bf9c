"""Exercise 8.1: the number of edges of a transformer's graph."""

import itertools

import torch

from helpers.edges import Graph
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import small_gpt2, small_model

GPT2_SMALL = 32_491  # edges of 12 layers of 12 heads with MLPs, the number in Conmy et al. 2023


def count_edges(n_layers: int, n_heads: int, with_mlps: bool) -> int:
    """Number of pairs of a sender and a receiver port that comes after it."""
    n_senders, n_edges = 1, 0  # the embedding
    for _ in range(n_layers):
        n_edges += 3 * n_heads * n_senders
        n_senders += n_heads
        if with_mlps:
            n_edges += n_senders
            n_senders += 1
    return n_edges + n_senders  # the logits read all senders


def _count(n_ports=3, n_first=1, logits=True, outputs=1, mlp_ports=1, mlp_reads_heads=True, mlp_writes=True):
    """The count with a changed rule."""

    def answer(n_layers, n_heads, with_mlps):
        n_senders, n_edges = n_first, 0
        for _ in range(n_layers):
            n_edges += n_ports * n_heads * n_senders
            before, n_senders = n_senders, n_senders + outputs * n_heads
            if with_mlps:
                n_edges += mlp_ports * (n_senders if mlp_reads_heads else before)
                n_senders += mlp_writes
        return n_edges + n_senders * logits

    return answer


def _with_pairs_of_a_layer(pairs):
    """The count with some pairs of heads of one layer."""
    return lambda n_layers, n_heads, with_mlps: (
        count_edges(n_layers, n_heads, with_mlps) + 3 * n_layers * pairs(n_heads)
    )


def _logits_after_every_layer(n_layers, n_heads, with_mlps):
    earlier = (1 + layer * (n_heads + with_mlps) for layer in range(1, n_layers))
    return count_edges(n_layers, n_heads, with_mlps) + sum(earlier)


def _neighbours_only(n_layers, n_heads, with_mlps):
    n_edges, n_before = 0, 1
    for _ in range(n_layers):
        n_edges += 3 * n_heads * n_before + (n_heads if with_mlps else 0)
        n_before = 1 if with_mlps else n_heads
    return n_edges + n_before


def _nodes(n_layers, n_heads, with_mlps):
    return 1 + n_layers * (n_heads + with_mlps) + 1


def _all_pairs(n_layers, n_heads, with_mlps):
    return (1 + n_layers * (n_heads + with_mlps)) * (n_layers * (3 * n_heads + with_mlps) + 1)


def _counts(trial: Trial, arguments: tuple[int, int, bool], n_edges: int) -> None:
    """Compare one count, as a tensor; a message names the arguments."""
    names = ("n_layers", "n_heads", "with_mlps")
    trial.behaves(
        lambda function: torch.tensor(float(function(*arguments))),
        torch.tensor(float(n_edges)),
        "",
        what=", ".join(f"{name}={value}" for name, value in zip(names, arguments)),
    )


def _counts_pairs_by_hand(trial: Trial) -> None:
    """Oracle: every pair of a sender and a receiver, compared by when they write and read."""
    sizes = [(1, 1), (2, 6), (3, 5), (5, 2), (4, 7)]
    for (n_layers, n_heads), with_mlps in itertools.product(sizes, (False, True)):
        writes, reads = [0], [2 * n_layers + 1]  # moments: the embedding, the logits
        for layer in range(n_layers):
            writes += [2 * layer + 1] * n_heads + [2 * layer + 2] * with_mlps
            reads += [2 * layer + 1] * (3 * n_heads) + [2 * layer + 2] * with_mlps
        pairs = sum(written < read for written in writes for read in reads)
        _counts(trial, (n_layers, n_heads, with_mlps), pairs)


def _equals_graphs_of_models(trial: Trial) -> None:
    """Oracle: the graphs of two models, and the published number for GPT-2 small."""
    for model, with_mlps in ((small_model(), False), (small_gpt2(), True)):
        arguments = (model.cfg.n_layers, model.cfg.n_heads, with_mlps)
        _counts(trial, arguments, Graph(model).exists.sum().item())
    _counts(trial, (12, 12, True), GPT2_SMALL)


EXERCISE = Exercise(
    id="8.1",
    title="count the edges",
    minutes=5,
    difficulty=1,
    hints=(
        "Walk through the layers and keep the number of senders so far. Before layer 0 it is 1, the embedding.",
        "Every receiver port adds one edge for each sender so far. A layer has 3 × n_heads ports of heads.",
        "The heads join the senders, then the MLP reads, then it joins them, too. At the end the logits read all.",
    ),
    reference=count_edges,
    tests=(_counts_pairs_by_hand, _equals_graphs_of_models),
    mistakes=(
        Mistake(
            "one port per head", "a head has three ports, q, k and v: each is a receiver.", _count(n_ports=1)
        ),
        Mistake(
            "logits left out", "the logits are a receiver, too: they read all senders.", _count(logits=False)
        ),
        Mistake("embedding left out", "the embedding is the first sender.", _count(n_first=0)),
        Mistake(
            "three outputs per head",
            "a head has three inputs and one output: it is one sender.",
            _count(outputs=3),
        ),
        Mistake(
            "MLP without the heads of its layer",
            "an MLP reads the stream after the attention of its layer: it reads the heads of its layer, too.",
            _count(mlp_reads_heads=False),
        ),
        Mistake(
            "MLP does not write", "an MLP is a sender for all later receivers.", _count(mlp_writes=False)
        ),
        *(
            Mistake(
                "heads of one layer connected",
                "heads of one layer read the same stream, so none of them reads another one.",
                _with_pairs_of_a_layer(pairs),
            )
            for pairs in (
                lambda heads: heads * (heads - 1),
                lambda heads: heads * (heads - 1) // 2,
                lambda heads: heads * heads,
            )
        ),
        Mistake(
            "logits after every layer",
            "the logits are read once, at the end of the model.",
            _logits_after_every_layer,
        ),
        Mistake(
            "three ports of an MLP",
            "an MLP is one receiver: q, k and v belong to heads.",
            _count(mlp_ports=3),
        ),
        Mistake(
            "neighbours only",
            "the stream keeps what was written: a receiver reads all earlier senders, not only the last ones.",
            _neighbours_only,
        ),
        Mistake(
            "MLPs always counted",
            "count MLPs only if `with_mlps` is True.",
            lambda n_layers, n_heads, with_mlps: count_edges(n_layers, n_heads, True),
        ),
        Mistake(
            "MLPs never counted",
            "with MLPs each layer has one more receiver and one more sender.",
            lambda n_layers, n_heads, with_mlps: count_edges(n_layers, n_heads, False),
        ),
        Mistake("nodes counted", "count the edges between parts, not the parts.", _nodes),
        Mistake(
            "pairs in any order",
            "an edge goes forwards: count only receivers that come after the sender.",
            _all_pairs,
        ),
        Mistake(
            "layers and heads swapped",
            "the first argument is the number of layers, the second the number of heads per layer.",
            lambda n_layers, n_heads, with_mlps: count_edges(n_heads, n_layers, with_mlps),
        ),
    ),
)
