"""What a card says of a general difference is true of every input, and nothing is said that only one input shows."""

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from helpers import exercises
from helpers.exercises.engine import Exercise, Mistake
from helpers.exercises.inputs import generator


def scores(
    q: Float[Tensor, "head query d_head"], k: Float[Tensor, "head key d_head"], scale: float
) -> Float[Tensor, "head query key"]:
    return q @ k.mT / q.shape[-1] ** 0.5 * scale


def ordered(x: Float[Tensor, "row column"]) -> Float[Tensor, "row column"]:
    return x.sort(dim=1, descending=True).values


def mask(x: Float[Tensor, "row column"]) -> Float[Tensor, "row column"]:
    return (x > 0).float()


def total(x: Float[Tensor, "row column"]) -> Float[Tensor, ""]:
    return x.sum()


def queries_and_keys(trial):
    for seed, shape in enumerate([(2, 7, 5), (3, 6, 11)]):
        q, k = torch.randn(2, *shape, generator=generator(seed))
        k = k[:, :-1] + 0.5
        trial.matches((q, k, 0.7), scores(q, k, 0.7), "head query key")


def matrices(function, axes="row column"):
    def test(trial):
        for seed, shape in enumerate([(5, 7), (6, 4), (8, 9), (4, 5)]):
            x = torch.randn(*shape, generator=generator(seed))
            trial.matches((x,), function(x), axes)

    return test


def exercise(reference, test, *mistakes):
    return Exercise("9.1", "a title", 1, 1, (), reference, (test,), mistakes)


SCORES = exercise(scores, queries_and_keys)
ORDERED = exercise(ordered, matrices(ordered))
MASK = exercise(mask, matrices(mask))
TOTAL = exercise(total, matrices(total, ""))


def signed(x: Float[Tensor, "row column"]) -> Float[Tensor, "3"]:
    return x.mean() * torch.ones(3)


SIGNED = exercise(signed, matrices(signed, "entry"))


@pytest.mark.parametrize(
    ("asked", "answer", "diagnosis", "sentence"),
    [
        (SCORES, lambda q, k, s: scores(q, k, s).mT, "axes swapped", "expected the axes [head, query, key], got [head, key, query]."),
        (SCORES, lambda q, k, s: scores(q, k, s).permute(1, 2, 0), "axes in another order", "got [query, key, head]."),
        (SCORES, lambda q, k, s: q @ k.mT * s, "constant factor", "every entry is √d_head times the expected one."),
        (SCORES, lambda q, k, s: scores(q, k, s) / q.shape[-1] ** 0.5, "constant factor", "1 / √d_head times"),
        (SCORES, lambda q, k, s: 2 * scores(q, k, s), "constant factor", "every entry is 2 times"),
        (SCORES, lambda q, k, s: -scores(q, k, s), "opposite sign", "every entry has the opposite sign."),
        (SCORES, lambda q, k, s: scores(q, k, s) + 3, "constant offset", "every entry is 3 more than"),
        (SCORES, lambda q, k, s: scores(q, k, s) ** 2, "squared", "these are the squares"),
        (SCORES, lambda q, k, s: scores(q, k, s).abs(), "absolute value", "these are the absolute values"),
        (SCORES, lambda q, k, s: scores(q, k, s).relu(), "no negative numbers", "negative numbers have become 0."),
        (SCORES, lambda q, k, s: scores(q, k, s).flip(1), "reversed", "the order along query is reversed."),
        (SCORES, lambda q, k, s: scores(q, k, s).roll(1, 1), "shifted by one", "one place too late along query."),
        (SCORES, lambda q, k, s: scores(q, k, s).roll(-1, 2), "shifted by one", "one place too early along key."),
        (SCORES, lambda q, k, s: scores(q, k, s).sort(2).values, "another order", "the entries along key are right"),
        (SCORES, lambda q, k, s: scores(q, k, s)[0], "only the first head", "expected an entry for every head."),
        (SCORES, lambda q, k, s: scores(q, k, s).mean(0), "mean over head", "this is the mean over head: keep that axis."),
        (SCORES, lambda q, k, s: scores(q, k, s)[None], "axis too many", "axis 0 of your output has length 1"),
        (SCORES, lambda q, k, s: torch.einsum("hqd,hkd->hqkd", q, k) * s / q.shape[-1] ** 0.5, "sum missing", "the sum over axis 3"),
        (SCORES, lambda q, k, s: scores(q, k, s).reshape(-1), "another shape", "the numbers are right, their shape is not."),
        (SCORES, lambda q, k, s: torch.cat([scores(q, k, s)[:, :-1], 0 * k[:, None, :, 0]], 1), "only the last query is wrong", "all but the last query is right."),
        (SCORES, lambda q, k, s: scores(q, k, 0.3 * torch.ones(())) + q.sum(), "does not depend on scale", "stays the same when only scale changes"),
        (SCORES, lambda q, k, s: scores(q - q[:, -1:] / 7, k, s), "depends on too much", "your output at other places changes with q at the last query; it should not."),
        (SCORES, lambda q, k, s: scores(q, k, s) + torch.rand(k.shape[1]), "random", "two calls with the same inputs gave different outputs."),
        (SCORES, lambda q, k, s: torch.zeros(len(q), q.shape[1], k.shape[1]), "one number everywhere", "all entries of your output are the same number."),
        (ORDERED, lambda x: x.sort(dim=1).values, "reversed", "the order along column is reversed."),
        (ORDERED, lambda x: x, "another order", "the entries along column are right, their order is not."),
        (MASK, lambda x: (x > -0.5).float(), "too many ones", "some entries are 1 where 0 is expected"),
        (MASK, lambda x: (x > 0.5).float(), "too few ones", "some entries are 0 where 1 is expected"),
        (MASK, lambda x: 1 - mask(x), "zeros and ones swapped", "every entry is 1 where 0 is expected"),
        (MASK, lambda x: (x.abs() > 0.7).float(), "zeros and ones", "others the reverse"),
        (TOTAL, lambda x: x.mean(), "wrong values", "expected -2.995"),  # two factors: neither explains all inputs
        (TOTAL, lambda x: x.sum(1), "sum missing", "the sum over axis 0 of your output is missing."),
        (SIGNED, lambda x: x.mean().abs() * torch.ones(3), "absolute value", "these are the absolute values"),
        (TOTAL, lambda x: x.abs().sum(), "wrong values", "expected -2.995"),
    ],
)  # fmt: skip
def test_a_general_difference_is_named(asked, answer, diagnosis, sentence):
    result = asked.check(answer)
    assert (result.status, result.diagnosis) == ("failed", diagnosis), result.message
    assert sentence in result.message


def test_a_known_mistake_is_named_only_if_most_inputs_show_it():
    mistake = Mistake("all zero", "every entry is zero.", torch.zeros_like)
    asked = exercise(mask, matrices(mask), mistake)
    assert asked.check(torch.zeros_like).diagnosis == "all zero"
    once = iter([True])
    assert asked.check(lambda x: mask(-x) * (not next(once, False))).diagnosis != "all zero"


def test_of_two_mistakes_that_give_the_wrong_outputs_the_one_that_gives_the_right_ones_is_named():
    def clipped(x):
        return ordered(x).clamp(max=1)

    always = Mistake("always wrong", "…", lambda x: clipped(x) if x.max() > 1 else -x)
    sometimes = Mistake("large numbers", "…", clipped)

    def small_and_large(trial):
        matrices(ordered)(trial)
        x = torch.rand(3, 4, generator=generator(5))
        trial.matches((x,), ordered(x), "row column")

    assert exercise(ordered, small_and_large, always, sometimes).check(clipped).diagnosis == "large numbers"


def test_an_answer_that_is_slow_or_ends_python_is_not_run_for_long_to_explain_it(monkeypatch):
    monkeypatch.setattr("helpers.exercises.engine.EXPLANATION_SECONDS", 0.2)
    calls = []

    def slow_after_a_while(x):
        calls.append(x)
        while len(calls) > 1:
            pass
        return x

    def leaves_after_a_while(x):
        calls.append(x)
        if len(calls) > 4:
            raise SystemExit
        return x

    assert MASK.check(slow_after_a_while).diagnosis == "wrong values"
    assert MASK.check(leaves_after_a_while).diagnosis == "wrong values"


def test_what_an_answer_prints_while_it_is_explained_is_not_shown():
    result = TOTAL.check(lambda x: print("once") or x.abs().sum())
    assert result.printed == "once\n"


@pytest.mark.parametrize("id", [exercise.id for exercise in exercises.all_exercises()])
def test_every_exercise_survives_a_constant(id):
    """Whatever the checks compare, forms that cannot be tried explain nothing and raise nothing."""
    asked = exercises.get(id)
    assert asked.check(lambda *arguments: torch.zeros(())).status == "failed"
