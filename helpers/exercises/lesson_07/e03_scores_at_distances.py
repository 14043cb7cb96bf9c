"""Exercise 7.3: attention score of a query and a key at every distance, with rotary positions."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.exercises.lesson_07.e02_apply_rotary import apply_rotary


def scores_at_distances(
    query_in: Float[Tensor, " d_model"],
    key_in: Float[Tensor, " d_model"],
    W_Q: Float[Tensor, "d_model d_head"],
    W_K: Float[Tensor, "d_model d_head"],
    distances: Int[Tensor, " distance"],
    base: float,
) -> Float[Tensor, " distance"]:
    """Attention score of two rows when the query stands ``distances`` positions after the key."""
    q = (query_in @ W_Q).expand(len(distances), -1)  # one copy per distance
    return apply_rotary(q, distances, base) @ (key_in @ W_K) / W_Q.shape[1] ** 0.5


def _queries_turned(turn, scale=lambda d_model, d_head: d_head**0.5):
    """Scores of queries that ``turn`` rotates, of keys at position 0."""

    def answer(query_in, key_in, W_Q, W_K, distances, base):
        q = turn((query_in @ W_Q).expand(len(distances), -1), distances, base)
        return q @ (key_in @ W_K) / scale(*W_Q.shape)

    return answer


def _stream_turned(query_in, key_in, W_Q, W_K, distances, base):
    rows = apply_rotary(query_in.expand(len(distances), -1), distances, base)
    return rows @ W_Q @ (key_in @ W_K) / W_Q.shape[1] ** 0.5


def _inputs(d_model: int, d_head: int, seed: int):
    rows = torch.randn(2, d_model, generator=generator(seed))
    return *rows, *torch.randn(2, d_model, d_head, generator=generator(seed + 1))


def _equals_pairs_of_positions(trial: Trial) -> None:
    """Oracle: q and k as complex numbers, turned to two positions that far apart."""
    for d_model, d_head, base in ((6, 4, 20.0), (10, 8, 1000.0), (4, 2, 50.0)):
        query_in, key_in, W_Q, W_K = _inputs(d_model, d_head, seed=d_model)
        distances = torch.tensor([5, 0, 2, 1, 9, 2])
        half = d_head // 2
        expected = []
        for distance in distances.tolist():
            score, key_position = 0.0, 4
            for j in range(half):
                u, v = (
                    complex((x @ W)[j], (x @ W)[j + half])
                    * complex(math.cos(p * base ** (-j / half)), math.sin(p * base ** (-j / half)))
                    for x, W, p in ((query_in, W_Q, key_position + distance), (key_in, W_K, key_position))
                )
                score += u.real * v.real + u.imag * v.imag
            expected.append(score / math.sqrt(d_head))
        arguments = (query_in, key_in, W_Q, W_K, distances, base)
        trial.matches(arguments, torch.tensor(expected), "distance", tolerance=1e-4)


def _is_the_plain_score_at_distance_0(trial: Trial) -> None:
    """Limit: at distance 0 the score is that of lesson 2."""
    query_in, key_in, W_Q, W_K = _inputs(8, 6, seed=3)
    expected = (query_in @ W_Q @ W_K.T @ key_in / 6**0.5).reshape(1)
    trial.matches((query_in, key_in, W_Q, W_K, torch.tensor([0]), 30.0), expected, "distance", 1e-4)


EXERCISE = Exercise(
    id="7.3",
    title="the QK circuit at a distance",
    minutes=10,
    difficulty=2,
    hints=(
        "Only the difference of the two positions counts. So put the key at position 0 and the query at position Δ.",
        "`(query_in @ W_Q).expand(len(distances), -1)` repeats the query, one row per distance. Then `apply_rotary` turns each row.",
        "A key at position 0 is not turned. Take the dot product of every row with it, and divide by `√d_head`.",
    ),
    reference=scores_at_distances,
    solution_parts=(apply_rotary,),
    tests=(_equals_pairs_of_positions, _is_the_plain_score_at_distance_0),
    mistakes=(
        Mistake(
            "distance the wrong way round",
            "the query stands after the key: turn the query by +Δ, or the key by -Δ.",
            _queries_turned(lambda q, distances, base: apply_rotary(q, -distances, base)),
        ),
        Mistake(
            "no rotation",
            "the scores are the same at every distance: turn the query by Δ, and leave the key as it is.",
            _queries_turned(lambda q, distances, base: q),
        ),
        Mistake(
            "scale missing",
            "divide the scores by √d_head, as the model does.",
            _queries_turned(apply_rotary, lambda d_model, d_head: 1),
        ),
        Mistake(
            "scale is d_head",
            "divide by the square root of d_head.",
            _queries_turned(apply_rotary, lambda d_model, d_head: d_head),
        ),
        Mistake(
            "scale is √d_model",
            "queries and keys have d_head numbers: divide by √d_head.",
            _queries_turned(apply_rotary, lambda d_model, d_head: d_model**0.5),
        ),
        Mistake(
            "stream rotated",
            "the rotation comes after W_Q: it turns the query, not the row of the stream.",
            _stream_turned,
        ),
        Mistake(
            "distances numbered from 0",
            "use `distances` as they are passed in: they need not be 0, 1, 2, …",
            _queries_turned(lambda q, distances, base: apply_rotary(q, torch.arange(len(distances)), base)),
        ),
        Mistake(
            "distances off by one",
            "at distance 0 the query is not turned.",
            _queries_turned(lambda q, distances, base: apply_rotary(q, distances + 1, base)),
        ),
        Mistake(
            "query and key swapped",
            "W_Q reads the query's row, W_K the key's.",
            lambda query_in, key_in, *rest: scores_at_distances(key_in, query_in, *rest),
        ),
        Mistake(
            "softmax applied",
            "these are weights; the scores before the softmax are asked for.",
            lambda *arguments: scores_at_distances(*arguments).softmax(dim=0),
        ),
    ),
)
