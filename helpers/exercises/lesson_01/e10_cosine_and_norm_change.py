"""Exercise 1.10: memory management."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.residual import cosine_and_norm_change


def _dot_product(stores, content):
    cosine = (stores * content).sum(dim=-1).mean(dim=-1)
    change = ((content + stores).norm(dim=-1) - content.norm(dim=-1)).mean(dim=-1)
    return torch.stack([cosine, change], dim=-1)


def _other_measure(stores, content, cosine=None, change=None):
    """The reference with another first or second column."""
    right = cosine_and_norm_change(stores, content)
    return torch.stack(
        [right[:, 0] if cosine is None else cosine, right[:, 1] if change is None else change], dim=-1
    )


def _equals_a_loop(trial: Trial) -> None:
    """Oracle: a loop over heads and positions in double precision; a head that deletes all has cosine -1."""
    for seed, (heads, pos, d_model) in enumerate([(3, 5, 7), (4, 2, 6)]):
        content = torch.randn(pos, d_model, generator=generator(seed)) * torch.arange(1, pos + 1)[:, None]
        stores = torch.randn(heads, pos, d_model, generator=generator(seed + 9))
        stores[0] = -content
        expected = torch.zeros(heads, 2)
        for head in range(heads):
            for store, there in zip(stores[head].double(), content.double()):
                expected[head, 0] += (store @ there / (store @ store).sqrt() / (there @ there).sqrt()) / pos
                expected[head, 1] += (
                    ((there + store) @ (there + store)).sqrt() - (there @ there).sqrt()
                ) / pos
        trial.matches((stores, content), expected, "head measure", tolerance=1e-4)


EXERCISE = Exercise(
    id="1.10",
    title="who writes against what is there",
    minutes=7,
    difficulty=2,
    hints=(
        "torch.cosine_similarity(stores, content, dim=-1) is one cosine for each head and position.",
        "The norm changes by ‖content + store‖ - ‖content‖.",
        "Average both over the positions and stack them: [head, 2].",
    ),
    reference=cosine_and_norm_change,
    tests=(_equals_a_loop,),
    mistakes=(
        Mistake(
            "dot product", "these are dot products; divide by both lengths to get cosines.", _dot_product
        ),
        Mistake(
            "cosine with the sum",
            "the cosine is with what was there before, not with the sum after the store.",
            lambda stores, content: _other_measure(
                stores, content, cosine=torch.cosine_similarity(stores, content + stores, dim=-1).mean(-1)
            ),
        ),
        Mistake(
            "averaged before the cosine",
            "one cosine a position, then the mean; not the cosine of the means.",
            lambda stores, content: _other_measure(
                stores, content, cosine=torch.cosine_similarity(stores.mean(1), content.mean(0), dim=-1)
            ),
        ),
        Mistake(
            "length of the store",
            "the second measure is the change ‖content + store‖ - ‖content‖, not the store's own length.",
            lambda stores, content: _other_measure(stores, content, change=stores.norm(dim=-1).mean(-1)),
        ),
        Mistake(
            "heads on top of each other",
            "each head is added to the content by itself, not after the heads before it.",
            lambda stores, content: _other_measure(
                stores,
                content,
                change=((content + stores.cumsum(0)).norm(dim=-1) - content.norm(dim=-1)).mean(-1),
            ),
        ),
        Mistake(
            "one norm of all positions",
            "this is the norm of the whole table; take one norm a position (dim=-1), then the mean.",
            lambda stores, content: _other_measure(
                stores, content, change=(content + stores).norm(dim=(-2, -1)) - content.norm()
            ),
        ),
        Mistake(
            "change of the squared norm",
            "these are squared lengths.",
            lambda stores, content: _other_measure(
                stores,
                content,
                change=((content + stores).square().sum(-1) - content.square().sum(-1)).mean(-1),
            ),
        ),
        Mistake(
            "sign lost",
            "the sign of the cosine tells writing from deleting: no absolute value.",
            lambda stores, content: _other_measure(
                stores, content, cosine=torch.cosine_similarity(stores, content, dim=-1).abs().mean(-1)
            ),
        ),
        Mistake(
            "summed over the positions",
            "take the mean over the positions, not the sum.",
            lambda stores, content: cosine_and_norm_change(stores, content) * stores.shape[1],
        ),
    ),
)
