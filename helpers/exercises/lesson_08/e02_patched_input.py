"""Exercise 8.2: what a receiver reads when some of its edges are patched (Wang et al. 2022)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def patched_input(
    stream: Float[Tensor, "prompt pos d_model"],
    clean_outputs: Float[Tensor, "sender prompt pos d_model"],
    corrupted_outputs: Float[Tensor, "sender prompt pos d_model"],
    patched: Bool[Tensor, " sender"],
) -> Float[Tensor, "prompt pos d_model"]:
    """Return the stream in which the patched senders' outputs come from the corrupted run."""
    return stream + (corrupted_outputs - clean_outputs)[patched].sum(dim=0)


def _variant(change):
    """The stream plus another function of the differences and of what is patched."""
    return lambda stream, clean, corrupted, patched: stream + change(corrupted - clean, patched)


def _last_position(stream, clean, corrupted, patched):
    changed = stream.clone()
    changed[:, -1] += (corrupted - clean)[patched, :, -1].sum(dim=0)
    return changed


def _inputs(n_senders: int, n_prompts: int, n_pos: int, d_model: int):
    shape = (n_prompts, n_pos, d_model)
    stream = torch.randn(shape, generator=generator(n_senders))
    clean, corrupted = torch.randn(2, n_senders, *shape, generator=generator(n_pos))
    return stream, clean, corrupted


def _equals_a_loop(trial: Trial) -> None:
    """Oracle: sender by sender, on shapes without equal axes."""
    for sizes in ((5, 2, 3, 4), (3, 4, 1, 6), (4, 1, 5, 3)):
        stream, clean, corrupted = _inputs(*sizes)
        for numbers in ([1], [0, 2], [2, 1]):
            patched, expected = torch.zeros(sizes[0], dtype=torch.bool), stream.clone()
            for number in numbers:
                patched[number] = True
                for prompt, pos in torch.cartesian_prod(*map(torch.arange, sizes[1:3])).tolist():
                    there = number, prompt, pos
                    expected[prompt, pos] = expected[prompt, pos] - clean[there] + corrupted[there]
            trial.matches((stream, clean, corrupted, patched), expected, "prompt pos d_model")


def _has_both_runs_as_limits(trial: Trial) -> None:
    """Limits: without a patch the stream; with every edge patched the corrupted stream."""
    _, clean, corrupted = _inputs(4, 2, 3, 5)
    bias = torch.arange(5.0)  # written by no sender
    clean_stream, corrupted_stream = clean.sum(dim=0) + bias, corrupted.sum(dim=0) + bias
    for patched, expected in ((False, clean_stream), (True, corrupted_stream)):
        arguments = (clean_stream, clean, corrupted, torch.full((4,), patched))
        trial.matches(arguments, expected, "prompt pos d_model")


EXERCISE = Exercise(
    id="8.2",
    title="patch some edges of a receiver",
    minutes=8,
    difficulty=2,
    hints=(
        "The stream is a sum. To replace one term, subtract its old value and add the new one.",
        "`(corrupted_outputs - clean_outputs)[patched]` holds the changes of the patched senders.",
        "Sum these changes over senders, and add the sum to `stream`.",
    ),
    reference=patched_input,
    tests=(_equals_a_loop, _has_both_runs_as_limits),
    mistakes=(
        Mistake(
            "corrupted output added on top",
            "the stream already holds the clean outputs: subtract those of the patched senders.",
            lambda stream, clean, corrupted, patched: stream + corrupted[patched].sum(dim=0),
        ),
        Mistake(
            "clean output subtracted only",
            "this ablates the edges. Add the senders' corrupted outputs in place of the clean ones.",
            lambda stream, clean, corrupted, patched: stream - clean[patched].sum(dim=0),
        ),
        Mistake(
            "opposite direction",
            "the change of an output is corrupted minus clean.",
            _variant(lambda changes, patched: -changes[patched].sum(dim=0)),
        ),
        Mistake(
            "all edges patched",
            "patch only the edges that `patched` names.",
            _variant(lambda changes, patched: changes.sum(dim=0)),
        ),
        Mistake(
            "the other edges patched",
            "True stands for a patched edge.",
            _variant(lambda changes, patched: changes[~patched].sum(dim=0)),
        ),
        Mistake(
            "mean of the changes",
            "every patched sender changes the stream in full: sum over senders.",
            _variant(lambda changes, patched: changes[patched].sum(dim=0) / max(1, int(patched.sum()))),
        ),
        Mistake(
            "mean of the changes",
            "every patched sender changes the stream in full: sum over senders.",
            _variant(lambda changes, patched: (changes * patched[:, None, None, None]).mean(dim=0)),
        ),
        Mistake(
            "stream left out",
            "the receiver also reads all edges that are not patched: add the changes to `stream`.",
            lambda stream, clean, corrupted, patched: (corrupted - clean)[patched].sum(dim=0),
        ),
        Mistake(
            "patched outputs only",
            "the receiver also reads all edges that are not patched.",
            lambda stream, clean, corrupted, patched: corrupted[patched].sum(dim=0),
        ),
        Mistake(
            "stream rebuilt from the senders",
            "the stream may hold more than the senders' outputs, such as a bias: change `stream` itself.",
            lambda stream, clean, corrupted, patched: torch.where(
                patched[:, None, None, None], corrupted, clean
            ).sum(dim=0),
        ),
        Mistake(
            "last position only",
            "an edge is patched at all positions.",
            _last_position,
        ),
        Mistake(
            "one edge only",
            "several edges may be patched at once: use all of them.",
            _variant(lambda changes, patched: changes[patched][:1].sum(dim=0)),
        ),
        Mistake(
            "nothing patched",
            "this is the stream as it came.",
            lambda stream, clean, corrupted, patched: stream,
        ),
    ),
)
