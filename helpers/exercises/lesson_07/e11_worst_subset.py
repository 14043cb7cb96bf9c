"""Exercise 7.11: completeness, a greedy search for the worst subset of a circuit."""

import itertools
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong


def worst_subset(
    incompleteness: Callable[[list], Float[Tensor, " subset"]], members: list[tuple[int, int]], size: int
) -> list[tuple[int, int]]:
    """Greedy search for the subset with the largest incompleteness, in the order of choice.

    It adds the head that makes the incompleteness largest, ``size`` times (Wang et al. 2022,
    section 4.2).
    """
    worst = []
    for _ in range(size):
        rest = [head for head in members if head not in worst]
        scores = incompleteness([[*worst, head] for head in rest])
        worst.append(rest[scores.argmax().item()])
    return worst


def _best_of(incompleteness, subsets) -> list:
    return list(subsets[incompleteness([list(subset) for subset in subsets]).argmax().item()])


def _ranked_alone(incompleteness, members, descending=True) -> list:
    scores = incompleteness([[head] for head in members])
    return [members[i] for i in scores.argsort(descending=descending, stable=True).tolist()]


def _removed_one_by_one(incompleteness, members, size) -> list:
    """Backward elimination: remove the head whose removal leaves the largest incompleteness."""
    left = list(members)
    while len(left) > size:
        left = _best_of(incompleteness, [[head for head in left if head != out] for out in left])
    return left


def _greedy(incompleteness, members, size, score=None, stop=False, rest_of=None, candidate=None) -> list:
    """The greedy search with a changed score, an early stop, or other candidates."""
    worst, last = [], -torch.inf
    for _ in range(size):
        rest = [head for head in members if head not in worst] if rest_of is None else rest_of(members, worst)
        subsets = [[*worst, head] if candidate is None else candidate(worst, head) for head in rest]
        scores = incompleteness(subsets) if score is None else score(incompleteness, subsets, members)
        if stop and scores.max() <= last:
            break
        last = scores.max()
        worst.append(rest[scores.argmax().item()])
    return worst


HEADS = [(0, 1), (1, 2), (2, 1), (2, 3), (4, 0)]
ALONE = dict(zip(HEADS, (1.0, 1.5, 0.25, 2.0, 0.5)))
PAIRS = {
    frozenset(HEADS[i] for i in pair): extra
    for pair, extra in {(3, 4): 3.0, (0, 2): 9.0, (1, 3): -1.0}.items()
}


def _score_of(subset: set) -> float:
    """A score with interactions: two heads may count for more, or for less, than their sum."""
    heads = frozenset(subset)
    alone = sum(ALONE[head] for head in heads)
    return alone + sum(extra for pair, extra in PAIRS.items() if pair <= heads)


def _counted(score: Callable) -> Callable:
    """Incompleteness of many subsets at once; a head that is listed twice counts once."""

    def incompleteness(subsets: list) -> Float[Tensor, " subset"]:
        if any(head in HEADS for head in subsets):
            raise Wrong(
                "one subset",
                "`incompleteness` takes a list of subsets. For one subset, here of one head: `incompleteness([[head]])`.",
            )
        return torch.tensor([float(score(set(subset))) for subset in subsets])

    return incompleteness


def _known_searches(trial: Trial) -> None:
    """Known searches: additive scores, interactions, a falling score, ties."""
    cases = {
        "a score that adds up": (lambda s: sum(ALONE[head] for head in s), 5, [3, 1, 0, 4, 2]),
        "heads that interact": (_score_of, 3, [3, 4, 0]),
        "one head": (_score_of, 1, [3]),
        "all heads": (_score_of, 5, [3, 4, 0, 2, 1]),
        "a score that falls": (lambda s: 20.0 - _score_of(s), 3, [2, 4, 1]),
        "equal scores": (len, 3, [0, 1, 2]),
    }
    for what, (score, size, chosen) in cases.items():
        trial.behaves(
            lambda function, score=score, size=size: torch.as_tensor(
                [list(head) for head in function(_counted(score), list(HEADS), size)]
            ),
            torch.tensor([HEADS[i] for i in chosen]).float(),
            "size pair",
            what=what,
        )


EXERCISE = Exercise(
    id="7.11",
    title="the worst subset",
    minutes=7,
    difficulty=2,
    hints=(
        "Begin with an empty list. In each step build one subset for every head that is not chosen yet: the chosen heads and this one.",
        "`incompleteness` takes the list of all these subsets and returns one number for each. Its `argmax` is the number of the head to add.",
        "`rest = [head for head in members if head not in worst]` and `[[*worst, head] for head in rest]`.",
    ),
    reference=worst_subset,
    tests=(_known_searches,),
    mistakes=(
        Mistake(
            "each head alone",
            "heads interact: in each step measure every remaining head together with those that are chosen.",
            lambda incompleteness, members, size: _ranked_alone(incompleteness, members)[:size],
        ),
        Mistake(
            "all subsets tried",
            "this is the worst subset of all. Greedy search keeps what it has chosen, and tries far fewer subsets.",
            lambda incompleteness, members, size: _best_of(
                incompleteness, list(itertools.combinations(members, size))
            ),
        ),
        Mistake(
            "removed one by one",
            "begin with no head and add, instead of beginning with all heads.",
            _removed_one_by_one,
        ),
        Mistake(
            "the least incomplete subset",
            "add the head that makes the incompleteness largest.",
            lambda incompleteness, members, size: _greedy(
                incompleteness, members, size, score=lambda measure, subsets, _: -measure(subsets)
            ),
        ),
        Mistake(
            "least incomplete heads",
            "take the largest incompleteness, and measure heads together with those that are chosen.",
            lambda incompleteness, members, size: _ranked_alone(incompleteness, members, False)[:size],
        ),
        Mistake(
            "stopped early",
            "add `size` heads, also where the incompleteness falls.",
            lambda incompleteness, members, size: _greedy(incompleteness, members, size, stop=True),
        ),
        Mistake(
            "heads chosen twice",
            "leave out the heads that are chosen already.",
            lambda incompleteness, members, size: _greedy(
                incompleteness,
                members,
                size,
                rest_of=lambda members, worst: members,
                candidate=lambda worst, head: list(dict.fromkeys([*worst, head])),
            ),
        ),
        Mistake(
            "index into all members",
            "`argmax` counts the remaining heads, not all members.",
            lambda incompleteness, members, size: _indexed_in_members(incompleteness, members, size),
        ),
        Mistake(
            "the complement",
            "measure the chosen heads, not the heads that are left.",
            lambda incompleteness, members, size: _greedy(
                incompleteness,
                members,
                size,
                score=lambda measure, subsets, members: measure(
                    [[head for head in members if head not in subset] for subset in subsets]
                ),
            ),
        ),
        Mistake(
            "last among equal ones",
            "among equal heads take the first of `members`.",
            lambda incompleteness, members, size: worst_subset(incompleteness, members[::-1], size),
        ),
        Mistake(
            "sorted",
            "return the heads in the order in which they were chosen.",
            lambda incompleteness, members, size: sorted(worst_subset(incompleteness, members, size)),
        ),
        Mistake(
            "last choice first",
            "return the heads in the order in which they were chosen.",
            lambda incompleteness, members, size: worst_subset(incompleteness, members, size)[::-1],
        ),
    ),
)


def _indexed_in_members(incompleteness, members, size) -> list:
    """The greedy search that takes the number of a remaining head as the number of a member."""
    worst = []
    for _ in range(size):
        rest = [head for head in members if head not in worst]
        worst.append(members[incompleteness([[*worst, head] for head in rest]).argmax().item()])
    return worst
