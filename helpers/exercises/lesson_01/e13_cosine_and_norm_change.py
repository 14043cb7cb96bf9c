"""Exercise 1.13: memory management, heads that write against the content of the stream."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import cosine_and_norm_change


def _variant(cosine=None, change=None):
    """The reference with another first or second column, as a function of outputs and content."""

    def answer(head_outputs, content):
        first, second = cosine_and_norm_change(head_outputs, content).unbind(dim=1)
        first = cosine(head_outputs, content) if cosine else first
        second = change(head_outputs, content) if change else second
        return torch.stack([first, second], dim=-1)

    return answer


def _equals_a_loop(trial: Trial) -> None:
    """Oracle: a loop in double precision; a head that deletes everything has cosine -1."""
    for seed, (heads, pos, d_model) in enumerate([(3, 5, 7), (4, 3, 10), (2, 1, 5)]):
        content = torch.randn(pos, d_model, generator=generator(seed)) * torch.arange(1, pos + 1)[:, None]
        outputs = torch.randn(heads, pos, d_model, generator=generator(seed + 9))
        outputs[0] = -content
        expected = torch.zeros(heads, 2)
        for head in range(heads):
            for y, x in zip(outputs[head].double(), content.double()):
                expected[head, 0] += (y @ x / (y @ y).sqrt() / (x @ x).sqrt()) / pos
                expected[head, 1] += (((x + y) @ (x + y)).sqrt() - (x @ x).sqrt()) / pos
        trial.matches((outputs, content), expected, "head measure", tolerance=1e-4)


EXERCISE = Exercise(
    id="1.13",
    title="who writes against what is there",
    minutes=7,
    difficulty=2,
    hints=(
        "`torch.cosine_similarity` gives one cosine for each head and position, if dim is the axis of `d_model`. "
        "`content` has no head axis; it broadcasts.",
        "The norm changes by ‖content + output‖ - ‖content‖, one number for each head and position.",
        "Average both over the positions; `torch.stack` puts them side by side: [head, 2].",
    ),
    reference=cosine_and_norm_change,
    tests=(_equals_a_loop,),
    mistakes=(
        Mistake(
            "dot product",
            "these are dot products; divide by both lengths to get cosines.",
            _variant(cosine=lambda outputs, content: (outputs * content).sum(dim=-1).mean(dim=-1)),
        ),
        Mistake(
            "cosine with the sum",
            "the cosine is with the content before the head writes, not with the sum afterwards.",
            _variant(
                cosine=lambda outputs, content: torch.cosine_similarity(
                    outputs, content + outputs, dim=-1
                ).mean(-1)
            ),
        ),
        Mistake(
            "cosine along the positions",
            "the cosine runs over another axis; give dim=-1, the axis of d_model.",
            _variant(cosine=lambda outputs, content: torch.cosine_similarity(outputs, content).mean(-1)),
        ),
        Mistake(
            "norm before minus norm after",
            "this is ‖content‖ - ‖content + output‖; a longer stream should give a positive number.",
            _variant(change=lambda outputs, content: -cosine_and_norm_change(outputs, content)[:, 1]),
        ),
        Mistake(
            "ratio of the norms",
            "this is ‖content + output‖ / ‖content‖; take the difference.",
            _variant(
                change=lambda outputs, content: (
                    (content + outputs).norm(dim=-1) / content.norm(dim=-1)
                ).mean(-1)
            ),
        ),
        Mistake(
            "averaged before the cosine",
            "take one cosine per position, then the mean; not the cosine of the means.",
            _variant(
                cosine=lambda outputs, content: torch.cosine_similarity(
                    outputs.mean(1), content.mean(0), dim=-1
                )
            ),
        ),
        Mistake(
            "the output's own length",
            "the second measure is the change ‖content + output‖ - ‖content‖, not the output's own length.",
            _variant(change=lambda outputs, content: outputs.norm(dim=-1).mean(-1)),
        ),
        Mistake(
            "heads on top of each other",
            "each head is added to the content by itself, not after the heads before it.",
            _variant(
                change=lambda outputs, content: (
                    (content + outputs.cumsum(0)).norm(dim=-1) - content.norm(dim=-1)
                ).mean(-1)
            ),
        ),
        Mistake(
            "one norm of all positions",
            "this is the norm of the whole table; take one norm per position (dim=-1), then the mean.",
            _variant(change=lambda outputs, content: (content + outputs).norm(dim=(-2, -1)) - content.norm()),
        ),
        Mistake(
            "change of the squared norm",
            "these are squared lengths; take the lengths.",
            _variant(
                change=lambda outputs, content: (
                    (content + outputs).square().sum(-1) - content.square().sum(-1)
                ).mean(-1)
            ),
        ),
        Mistake(
            "sign lost",
            "the sign of the cosine separates writing along the stream from writing against it: no absolute value.",
            _variant(
                cosine=lambda outputs, content: (
                    torch.cosine_similarity(outputs, content, dim=-1).abs().mean(-1)
                )
            ),
        ),
        Mistake(
            "summed over the positions",
            "take the mean over the positions, not the sum.",
            lambda outputs, content: cosine_and_norm_change(outputs, content) * outputs.shape[1],
        ),
    ),
)
