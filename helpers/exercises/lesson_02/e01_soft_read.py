"""Exercise 2.1: a soft token address."""

import torch

from helpers.circuits import soft_read
from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def _equals_a_loop(trial: Trial) -> None:
    """Oracle: a loop over queries and keys, for as many of both, more keys, and more queries."""
    for queries, keys, d_model in [(5, 5, 3), (4, 6, 2), (7, 3, 5)]:
        address = torch.rand(queries, keys, generator=generator(queries)).tril()
        address = address / address.sum(-1, keepdim=True)
        memory = torch.randn(keys, d_model, generator=generator(keys))
        expected = torch.zeros(queries, d_model)
        for query in range(queries):
            for key in range(keys):
                expected[query] += address[query, key] * memory[key]
        trial.matches((address, memory), expected, "query d_model")


def _copies_rows(trial: Trial) -> None:
    """A hard address copies rows."""
    hard = torch.eye(6)[[4, 0, 0, 2]]
    rows = torch.randn(6, 2, generator=generator(2))
    trial.matches((hard, rows), rows[[4, 0, 0, 2]], "query d_model")


EXERCISE = Exercise(
    id="2.1",
    title="a soft token address",
    minutes=3,
    difficulty=1,
    hints=(
        "Query i reads a weighted sum of rows: Σ over the keys of `address[i, key] * memory[key]`.",
        "For all queries at once that is one matrix product.",
    ),
    reference=soft_read,
    tests=(_equals_a_loop,),
    mistakes=(
        Mistake(
            "address transposed",
            "each row of the address is a query; here the columns were used.",
            lambda address, memory: address.T @ memory,
        ),
        Mistake(
            "hard read",
            "this copies the row with the largest weight; a soft address blends all of them.",
            lambda address, memory: memory[address.argmax(-1)],
        ),
        Mistake(
            "softmax on top",
            "the address is a distribution already; no further softmax.",
            lambda address, memory: address.softmax(-1) @ memory,
        ),
        Mistake(
            "one read for all",
            "the reads of all queries are averaged together; keep one row per query.",
            lambda address, memory: (address @ memory).mean(0, keepdim=True).expand(len(address), -1),
        ),
        Mistake(
            "not blended",
            "the rows are weighted but not summed over the keys.",
            lambda address, memory: address[:, :, None] * memory,
        ),
    ),
)
