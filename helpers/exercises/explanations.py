"""General differences between an answer and what was expected.

A form is a function of one comparison. It yields what explains that comparison: a diagnosis, a
sentence, and a label that stands for ``{}`` in the sentence. Only what all failed comparisons have
in common is named.
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from helpers.exercises.input_changes import FORMS_OF_CALLS, FORMS_OF_CHANGES
from helpers.exercises.sandbox import Wrong
from helpers.exercises.trial import Comparison, Trial

Explanation = tuple[str, str, str]  # diagnosis, sentence, label
REDUCTIONS = {"mean": torch.mean, "sum": torch.sum, "maximum": torch.amax, "minimum": torch.amin}
MIN_NUMBERS = 3  # different numbers that a rule about numbers must get right


def explain(comparisons: list[Comparison], trial: Trial) -> Wrong | None:
    """Return the first explanation that every failed comparison has in common, as a mistake.

    Comparisons of other quantities than the first failed one are left out. ``trial`` calls the
    answer again where a form changes its inputs.
    """
    problems = [(comparison, comparison.problem()) for comparison in comparisons]
    first, problem = next(((comparison, wrong) for comparison, wrong in problems if wrong), (None, None))
    if first is None or problem is None:
        return None
    alike = [pair for pair in problems if (pair[0].axes, pair[0].what) == (first.axes, first.what)]
    failed = [comparison for comparison, wrong in alike if wrong]
    right = [comparison for comparison, wrong in alike if not wrong and comparison.expected.any()]
    for form in _forms(problem, failed, bool(right)):
        shown_by = failed + right if form in SHOWN_BY_ALL else failed
        common = _yielded(form, shown_by[0], trial)
        for comparison in shown_by[1:]:
            if common:  # most forms end at the first comparison
                also = _yielded(form, comparison, trial)
                common = [explanation for explanation in common if explanation in also]
        if common:
            diagnosis, sentence, _ = common[0]
            labels = " = ".join(label for *same, label in common if same == [diagnosis, sentence])
            return Wrong(diagnosis, f"{sentence.format(labels)} {problem}", first)
    return None


def _forms(problem: Wrong, failed: list[Comparison], some_are_right: bool) -> tuple[Callable, ...]:
    """Return the forms that may explain a problem."""
    if problem.diagnosis == "wrong shape":
        return FORMS_OF_SHAPES
    if problem.diagnosis != "wrong values":
        return ()
    if _count_numbers(failed) < MIN_NUMBERS:
        return FORMS_OF_FEW_NUMBERS
    return FORMS if len(failed) > 1 or not some_are_right else FORMS[: -len(FORMS_OF_PLACES)]


def _yielded(form: Callable, comparison: Comparison, trial: Trial) -> list[Explanation]:
    with contextlib.suppress(Exception):  # a form that cannot be tried here explains nothing
        return list(form(comparison, trial))
    return []


def _count_numbers(comparisons: list[Comparison]) -> int:
    """Count the different numbers among the entries that are wrong."""
    numbers = [comparison.expected[~_right(comparison)] for comparison in comparisons]
    return len(torch.cat(numbers).mul(1e4).round().unique())


def _right(comparison: Comparison) -> Tensor:
    """Return which entries of an output of the right shape are right."""
    return torch.isclose(
        comparison.observed.to(comparison.expected),
        comparison.expected,
        atol=comparison.tolerance,
        rtol=comparison.tolerance,
        equal_nan=True,
    )


def _same(comparison: Comparison, other: Tensor, observed: Tensor | None = None) -> bool:
    """Return True if the output, or what is made of it, equals another tensor."""
    observed = (comparison.observed if observed is None else observed).to(other)
    tolerance = comparison.tolerance
    return observed.shape == other.shape and torch.allclose(
        observed, other, atol=tolerance, rtol=tolerance, equal_nan=True
    )


def _axes(comparison: Comparison) -> Iterator[tuple[int, str]]:
    return enumerate(comparison.axes.split())


def _axes_in_another_order(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    names = comparison.axes.split()
    for order in list(itertools.permutations(range(len(names))))[1:]:
        if _same(comparison, comparison.expected.permute(order)):
            received = [names[axis] for axis in order]
            moved = [name for name, wanted in zip(received, names) if name != wanted]
            what = "axes swapped" if len(moved) == 2 else "axes in another order"
            yield what, f"expected the axes {names}, got {received}.".replace("'", ""), ""


def _reductions(length: int) -> list[tuple[str, Callable]]:
    """Return reductions along an axis; the larger or smaller of two numbers says little."""
    return list(REDUCTIONS.items())[: 2 if length == 2 else 4]


def _too_many_axes(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    observed, expected = comparison.observed, comparison.expected
    for axis in range(observed.ndim) if observed.ndim == expected.ndim + 1 else ():
        if observed.shape[axis] == 1 and _same(comparison, expected, observed.squeeze(axis)):
            yield "axis too many", f"axis {axis} of your output has length 1 and should not be there.", ""
        for what, reduction in _reductions(observed.shape[axis]):
            if _same(comparison, expected, reduction(observed, axis)):
                yield f"{what} missing", f"the {what} over axis {axis} of your output is missing.", ""
        for index in (-1, 0):
            if _same(comparison, expected, observed.select(axis, index)):
                which = "last" if index else "first"
                yield (
                    "axis too many",
                    f"expected only the {which} entry along axis {axis} of your output.",
                    "",
                )


def _too_few_axes(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    for axis, name in _axes(comparison):
        length = comparison.expected.shape[axis]
        if length == 1 and _same(comparison, comparison.expected.squeeze(axis)):
            yield f"no axis {name}", f"keep the axis {name} where its length is 1.", ""
        for what, reduction in _reductions(length):
            if _same(comparison, reduction(comparison.expected, axis)):
                yield f"{what} over {name}", f"this is the {what} over {name}: keep that axis.", ""
        for index in (0, -1):
            if _same(comparison, comparison.expected.select(axis, index)):
                which = "last" if index else "first"
                yield f"only the {which} {name}", f"expected an entry for every {name}.", ""


def _numbers_in_another_shape(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    observed, expected = comparison.observed, comparison.expected
    if _same(comparison, expected, observed.reshape(expected.shape)):
        yield "another shape", "the numbers are right, their shape is not.", ""


def _constant_factor(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    """Every entry is the same multiple of the expected one; a multiple of 1 says nothing."""
    observed, expected = comparison.observed.double(), comparison.expected.double()
    largest = expected.abs().argmax()
    factor = (observed.flatten()[largest] / expected.flatten()[largest]).item()
    if not math.isfinite(factor) or abs(factor) < 1e-6 or not _same(comparison, expected * factor):
        return
    if math.isclose(factor, -1, rel_tol=1e-4):
        yield "opposite sign", "every entry has the opposite sign.", ""
    for label, size in _factors(trial.sizes_in(comparison)).items():
        if size != 1 and math.isclose(factor, size, rel_tol=1e-4):
            yield "constant factor", "every entry is {} times the expected one.", label
    yield "constant factor", "every entry is {} times the expected one.", f"{factor:.4g}"


def _factors(sizes: dict[str, int]) -> dict[str, float]:
    """Return the factors that a slip brings in, made of the sizes of axes."""
    factors = {"ln 2": math.log(2), "1 / ln 2": 1 / math.log(2)}
    for name, size in sizes.items():
        factors |= {name: size, f"1 / {name}": 1 / size, f"√{name}": size**0.5, f"1 / √{name}": size**-0.5}
        if size > 1:
            ratio = (size - 1) / size
            factors |= {f"({name} - 1) / {name}": ratio, f"{name} / ({name} - 1)": 1 / ratio}
            factors |= {f"√(({name} - 1) / {name})": ratio**0.5, f"√({name} / ({name} - 1))": ratio**-0.5}
    return factors


def _constant_offset(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    offset = (comparison.observed.double() - comparison.expected.double()).mean().item()
    if _same(comparison, comparison.expected.double() + offset):
        more = f"{abs(offset):.4g} {'more' if offset > 0 else 'less'}"
        yield "constant offset", f"every entry is {more} than the expected one.", ""


FUNCTIONS: dict[str, tuple[str, Callable]] = {
    "absolute value": ("these are the absolute values of the expected numbers.", torch.abs),
    "squared": ("these are the squares of the expected numbers.", torch.square),
    "square root": ("these are the square roots of the expected numbers.", torch.sqrt),
    "logarithm": ("these are the logarithms of the expected numbers.", torch.log),
    "exponential": ("these are the exponentials of the expected numbers.", torch.exp),
    "upside down": ("these are 1 divided by the expected numbers.", torch.reciprocal),
    "1 minus": ("these are 1 minus the expected numbers.", lambda expected: 1 - expected),
    "no negative numbers": ("negative numbers have become 0.", torch.relu),
}
INVERSES: dict[str, tuple[str, Callable]] = {
    "absolute value missing": ("expected the absolute values of these numbers.", torch.abs),
    "negative numbers kept": ("expected 0 in place of negative numbers.", torch.relu),
}


def _function_of_the_numbers(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    observed, expected = comparison.observed, comparison.expected
    for diagnosis, (sentence, function) in FUNCTIONS.items():
        if _same(comparison, function(expected)):
            yield diagnosis, sentence, ""
    for diagnosis, (sentence, function) in INVERSES.items():
        if _same(comparison, expected, function(observed)):
            yield diagnosis, sentence, ""


def _entries_in_another_order(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    observed, expected = comparison.observed, comparison.expected
    for axis, name in _axes(comparison):
        length = expected.shape[axis]
        if _same(comparison, expected.flip(axis)):
            yield "reversed", f"the order along {name} is reversed.", ""
        late = observed.narrow(axis, 1, length - 1), expected.narrow(axis, 0, length - 1)
        early = observed.narrow(axis, 0, length - 1), expected.narrow(axis, 1, length - 1)
        for when, (moved, kept) in {"late": late, "early": early}.items():
            if length > 3 and _same(comparison, kept, moved):
                yield "shifted by one", f"each entry stands one place too {when} along {name}.", ""
    for axis, name in _axes(comparison):
        if _same(comparison, expected.sort(axis).values, observed.sort(axis).values):
            yield "another order", f"the entries along {name} are right, their order is not.", ""


def _only_some_entries(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    """Say which entries are wrong if they have a place or a sign in common."""
    wrong, expected = ~_right(comparison), comparison.expected
    if wrong.all() or wrong.sum() == 1:
        return
    for axis, name in _axes(comparison):
        for index in (0, -1) if expected.shape[axis] > 2 else ():
            if wrong.sum() == wrong.select(axis, index).sum():
                which = "last" if index else "first"
                yield f"only the {which} {name} is wrong", f"all but the {which} {name} is right.", ""
    if (expected[wrong] < 0).all() and not (expected[~wrong] < 0).any():
        yield "negative numbers", "your output is right except where a negative number is expected.", ""
    if (expected[wrong] == 0).all() and not (expected[~wrong] == 0).any():
        yield "zeros", "your output is right except where 0 is expected.", ""


def _zeros_and_ones(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    observed, expected = comparison.observed, comparison.expected
    if {*observed.unique().tolist(), *expected.unique().tolist()} == {0, 1}:
        if (observed != expected).all():
            yield "zeros and ones swapped", "every entry is 1 where 0 is expected, and 0 where 1 is.", ""
        elif (observed >= expected).all():
            yield "too many ones", "some entries are 1 where 0 is expected; all others are right.", ""
        elif (observed <= expected).all():
            yield "too few ones", "some entries are 0 where 1 is expected; all others are right.", ""
        else:
            yield "zeros and ones", "some entries are 1 where 0 is expected, and others the reverse.", ""


def _one_number_everywhere(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    observed = comparison.observed
    if observed.numel() > 1 and _same(comparison, observed.flatten()[0].expand_as(observed)):
        yield "one number everywhere", "all entries of your output are the same number.", ""


def _constant_along_an_axis(comparison: Comparison, trial: Trial) -> Iterator[Explanation]:
    observed, expected = comparison.observed, comparison.expected
    for axis, name in _axes(comparison):
        if expected.shape[axis] > 1 and _same(comparison, observed.narrow(axis, 0, 1).expand_as(expected)):
            yield f"the same for every {name}", f"your output is the same for every {name}.", ""


FORMS_OF_SHAPES = (_axes_in_another_order, _too_many_axes, _too_few_axes, _numbers_in_another_shape)
SHOWN_BY_ALL = (_function_of_the_numbers, *FORMS_OF_CALLS, *FORMS_OF_CHANGES)  # by right outputs, too
FORMS_OF_FEW_NUMBERS = (_one_number_everywhere, *FORMS_OF_CALLS, *FORMS_OF_CHANGES, _zeros_and_ones)
FORMS_OF_PLACES = (_only_some_entries, _constant_along_an_axis)  # one input may show them by chance
FORMS = (
    _axes_in_another_order,
    _function_of_the_numbers,
    _constant_factor,
    _constant_offset,
    _entries_in_another_order,
    *FORMS_OF_FEW_NUMBERS,
    *FORMS_OF_PLACES,
)
