"""Exercise 6.2: where a neuron fires most."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.neurons import top_contexts


def _several_a_text(activations, count):
    best = activations[:, 1:].flatten().topk(count).indices
    width = activations.shape[1] - 1
    return torch.stack([best // width, best % width + 1], dim=1)


def _found_by(highest_and_where):
    """The reference with another (highest, where) a text; where counts from the text's own position 0."""

    def answer(activations, count):
        highest, where = highest_and_where(activations)
        texts = highest.topk(count).indices
        return torch.stack([texts, where[texts]], dim=1)

    return answer


def _one_late(result):
    highest, where = result
    return highest, where + 1


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: a loop over all cells, sorted; position 0 and second places of a text stand out in the data."""
    for seed in range(3):
        activations = torch.randn(6, 9, generator=generator(seed))
        activations[4, 0] = 9.0  # beginning of text
        activations[2, 3:6] = torch.tensor([5.0, 6.0, 5.5])  # one text with the three highest
        activations[0, 2] = -7.0
        cells = sorted(
            ((activations[text, pos].item(), text, pos) for text in range(6) for pos in range(1, 9)),
            reverse=True,
        )
        expected = []
        for _, text, pos in cells:
            if text not in [chosen for chosen, _ in expected]:
                expected.append((text, pos))
        trial.matches((activations, 4), torch.tensor(expected[:4]).float(), "context text_and_position")


EXERCISE = Exercise(
    id="6.2",
    title="top contexts",
    minutes=5,
    difficulty=2,
    hints=(
        "First the best position of each text: activations[:, 1:].max(dim=1) gives the values and where they stand.",
        "Then the best texts: highest.topk(count).indices. Slicing took one position away: add it again.",
    ),
    reference=top_contexts,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "several contexts of one text",
            "at most one a text: a text that repeats itself would fill the list. First the best position of each text, then the best texts.",
            _several_a_text,
        ),
        Mistake(
            "beginning-of-text counted",
            "position 0 is the same token in every text and says nothing: leave it out.",
            _found_by(lambda activations: activations.max(dim=1)),
        ),
        Mistake(
            "off by one",
            "the slice [:, 1:] begins at position 1: add 1 to what max finds in it.",
            _found_by(lambda activations: activations[:, 1:].max(dim=1)),
        ),
        Mistake(
            "largest in size",
            "a strongly negative activation is a neuron that is silent: the highest, without abs().",
            _found_by(lambda activations: _one_late(activations[:, 1:].abs().max(dim=1))),
        ),
        Mistake(
            "lowest instead of highest",
            "these are the contexts in which the neuron fires least.",
            _found_by(lambda activations: _one_late((-activations[:, 1:]).max(dim=1))),
        ),
        Mistake(
            "mean of the text",
            "rank texts by their highest activation, not by their mean.",
            _found_by(
                lambda activations: (activations[:, 1:].mean(1), activations[:, 1:].max(1).indices + 1)
            ),
        ),
        Mistake(
            "lowest of them first",
            "highest first.",
            lambda activations, count: top_contexts(activations, count).flip(0),
        ),
        Mistake(
            "position before text",
            "each row is (text, position), in that order.",
            lambda activations, count: top_contexts(activations, count).flip(1),
        ),
        Mistake(
            "in the order of the texts",
            "highest first, not in the order in which the texts stand.",
            lambda activations, count: (best := top_contexts(activations, count))[best[:, 0].argsort()],
        ),
    ),
)
