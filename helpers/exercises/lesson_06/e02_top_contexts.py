"""Exercise 6.2: the top contexts of a neuron."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.neurons import top_contexts


def _several_per_text(activations, count):
    best = activations[:, 1:].flatten().topk(count).indices
    width = activations.shape[1] - 1
    return torch.stack([best // width, best % width + 1], dim=1)


def _ranked_by(best_of_each_text):
    """Top contexts by the (values, positions) that ``best_of_each_text(activations)`` returns."""

    def answer(activations, count):
        values, positions = best_of_each_text(activations)
        texts = values.topk(count).indices
        return torch.stack([texts, positions[texts]], dim=1)

    return answer


def _best_after_first(scores):
    """Value and position of each text's highest score, without position 0."""
    values, indices = scores[:, 1:].max(dim=1)
    return values, indices + 1


def _after_first(activations):
    """1 at every position but the first, 0 there."""
    return torch.ones_like(activations).cumsum(dim=1).sub(1).clamp(max=1)


def _of_later_texts(shift):
    """Top contexts of all texts but the first, whose numbers are raised by ``shift``."""

    def answer(activations, count):
        values, positions = activations[1:].max(dim=1)
        texts = values.topk(min(count, len(values))).indices
        return torch.stack([texts + shift, positions[texts]], dim=1)

    return answer


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: all entries, sorted; several counts; position 0 and one text stand out."""
    for seed, count in ((0, 4), (1, 1), (2, 6), (3, 3), (4, 6)):
        activations = torch.randn(6, 9, generator=generator(seed))
        activations[4, 0] = 9.0  # beginning of text
        activations[2, 3:6] = torch.tensor([5.0, 6.0, 5.5])  # one text with the three highest
        activations[5, 8], activations[3, 1] = 4.0, 3.5  # highest at the last and the first position
        activations[1] = -activations[1].abs()  # a neuron that never fires in a text
        activations[0, 2], activations[0, 6] = -7.0, 4.5
        ranked = sorted(
            ((activations[text, pos].item(), text, pos) for text in range(6) for pos in range(1, 9)),
            reverse=True,
        )
        best = {}
        for _, text, pos in ranked:
            best.setdefault(text, pos)
        expected = torch.tensor(list(best.items())[:count]).float()
        trial.matches((activations, count), expected, "context text_and_position")


EXERCISE = Exercise(
    id="6.2",
    title="top contexts",
    minutes=5,
    difficulty=2,
    hints=(
        "First find the best position of each text, then the best texts.",
        "`max(dim=1)` gives values and indices. A slice leaves position 0 out, and shifts every index by one.",
        "`topk` ranks the texts by these values. Take the positions of the ranked texts, and put texts and positions side by side with `torch.stack`.",
    ),
    reference=top_contexts,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "several contexts of one text",
            "take at most one per text, since a text that repeats itself would fill the list: first the best position of each text, then the best texts.",
            _several_per_text,
        ),
        Mistake(
            "beginning-of-text counted",
            "position 0 is the same token in every text: leave it out.",
            _ranked_by(lambda activations: activations.max(dim=1)),
        ),
        Mistake(
            "texts ranked with position 0",
            "position 0 does not count when texts are ranked, either: leave it out first.",
            lambda activations, count: torch.stack(
                [
                    texts := activations.max(dim=1).values.topk(count).indices,
                    _best_after_first(activations)[1][texts],
                ],
                dim=1,
            ),
        ),
        Mistake(
            "0 written at position 0",
            "0 is the highest number in a text where all activations are negative: leave position 0 out, or write -inf.",
            _ranked_by(lambda activations: (activations * _after_first(activations)).max(dim=1)),
        ),
        Mistake(
            "first text left out",
            "activations[1:] leaves out a text. Position is the second axis: activations[:, 1:].",
            _of_later_texts(0),
        ),
        Mistake(
            "first text left out",
            "activations[1:] leaves out a text. Position is the second axis: activations[:, 1:].",
            _of_later_texts(1),
        ),
        Mistake(
            "last position instead of the first",
            "[:-1] leaves out the last position. Beginning-of-text is the first: activations[:, 1:].",
            _ranked_by(lambda activations: activations[:, :-1].max(dim=1)),
        ),
        Mistake(
            "off by one",
            "every position is 1 too low: in a slice that begins at position 1, index 0 is position 1.",
            _ranked_by(lambda activations: activations[:, 1:].max(dim=1)),
        ),
        Mistake(
            "last position left out",
            "only position 0 is left out: the last position counts.",
            _ranked_by(lambda activations: _best_after_first(activations[:, :-1])),
        ),
        Mistake(
            "largest in size",
            "a strongly negative activation is not a high one: take the highest, without abs().",
            _ranked_by(lambda activations: _best_after_first(activations.abs())),
        ),
        Mistake(
            "lowest instead of highest",
            "these are the contexts with the lowest activations.",
            _ranked_by(lambda activations: _best_after_first(-activations)),
        ),
        Mistake(
            "mean of the text",
            "rank texts by their highest activation, not by their mean.",
            _ranked_by(
                lambda activations: (activations[:, 1:].mean(dim=1), _best_after_first(activations)[1])
            ),
        ),
        Mistake(
            "lowest of them first",
            "sort from the highest to the lowest.",
            lambda activations, count: top_contexts(activations, count).flip(0),
        ),
        Mistake(
            "position before text",
            "each row is (text, position), in that order.",
            lambda activations, count: top_contexts(activations, count).flip(1),
        ),
        Mistake(
            "in the order of the texts",
            "sort by activation, highest first, not by the number of the text.",
            lambda activations, count: (best := top_contexts(activations, count))[best[:, 0].argsort()],
        ),
    ),
)
