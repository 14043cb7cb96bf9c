"""Exercise 7.10: faithfulness with templates as the unit of resampling."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator


def resampled_faithfulness(
    circuit: Float[Tensor, " prompt"],
    nothing: Float[Tensor, " prompt"],
    full: Float[Tensor, " prompt"],
    templates: Int[Tensor, " prompt"],
    draws: Int[Tensor, "sample draw"],
) -> Float[Tensor, " sample"]:
    """Faithfulness  Σ (circuit - nothing) / Σ (full - nothing)  in each bootstrap sample.

    The sums are over all prompts of the templates that the sample drew. A template that was drawn
    twice counts twice.
    """
    times = (draws[:, :, None] == templates).sum(dim=1).float()  # [sample prompt]
    return times @ (circuit - nothing) / (times @ (full - nothing))


def _times(templates, draws, count=lambda drawn: drawn.sum(dim=1)):
    """How often each sample draws each prompt, ``[sample prompt]``."""
    return count(draws[:, :, None] == templates).float()


def _once(templates, draws):
    return _times(templates, draws, lambda drawn: drawn.any(dim=1))


def _ratio(upper, lower, times=_times):
    """Ratio of sums over the drawn prompts of two functions of (circuit, nothing, full)."""

    def faithfulness(circuit, nothing, full, templates, draws):
        drawn = times(templates, draws)
        return drawn @ upper(circuit, nothing, full) / (drawn @ lower(circuit, nothing, full))

    return faithfulness


def _gained(circuit, nothing, full):
    return circuit - nothing


def _possible(circuit, nothing, full):
    return full - nothing


def _template_means(values, templates, draws):
    """Mean of values over the prompts of each drawn template, ``[sample draw]``."""
    return torch.stack([torch.stack([values[templates == t].mean() for t in row]) for row in draws])


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: sums in loops; templates of unequal size, with gaps, drawn twice; one sample."""
    sizes = {2: 3, 5: 1, 9: 2, 4: 4}
    templates = torch.tensor([number for number, size in sizes.items() for _ in range(size)])
    templates = templates[torch.randperm(len(templates), generator=generator(0))]
    full = 3 + torch.randn(len(templates), generator=generator(1))
    nothing = torch.randn(len(templates), generator=generator(2)) - 0.5
    for seed, (samples, drawn) in enumerate(((7, 4), (1, 4), (3, 2))):
        circuit = 2 * seed - 1 + torch.randn(len(templates), generator=generator(3 + seed))
        chosen = torch.randint(4, (samples, drawn), generator=generator(6 + seed))
        draws = torch.tensor(list(sizes))[chosen]
        expected = []
        for row in draws.tolist():
            sums = [0.0, 0.0]
            for number in row:
                for n, template in enumerate(templates.tolist()):
                    if template == number:
                        sums[0] += (circuit[n] - nothing[n]).item()
                        sums[1] += (full[n] - nothing[n]).item()
            expected.append(sums[0] / sums[1])
        arguments = (circuit, nothing, full, templates, draws)
        trial.matches(arguments, torch.tensor(expected), "sample", 1e-4)


EXERCISE = Exercise(
    id="7.10",
    title="templates as the unit",
    minutes=6,
    difficulty=2,
    hints=(
        "For one sample: take all prompts of each drawn template, sum circuit - nothing and full - nothing over them, and divide once.",
        "Count how often each prompt is drawn in each sample, `[sample prompt]`. Then both sums are products of this matrix with a vector.",
        "`draws[:, :, None] == templates` has the axes sample, draw, prompt.",
    ),
    reference=resampled_faithfulness,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "drawn twice, counted once",
            "a template that a sample draws twice counts twice.",
            _ratio(_gained, _possible, _once),
        ),
        Mistake(
            "denominator of all prompts",
            "numerator and denominator are sums over the same drawn prompts.",
            lambda circuit, nothing, full, templates, draws: (
                _times(templates, draws) @ (circuit - nothing) / (full - nothing).sum()
            ),
        ),
        Mistake(
            "denominator of all prompts",
            "numerator and denominator are sums over the same drawn prompts.",
            lambda circuit, nothing, full, templates, draws: (
                _times(templates, draws)
                @ (circuit - nothing)
                / _times(templates, draws).sum(dim=1)
                / (full - nothing).mean()
            ),
        ),
        Mistake(
            "mean of ratios",
            "sum over the drawn prompts first, then divide once.",
            lambda circuit, nothing, full, templates, draws: (
                _times(templates, draws)
                @ ((circuit - nothing) / (full - nothing))
                / _times(templates, draws).sum(dim=1)
            ),
        ),
        Mistake(
            "mean of the templates' ratios",
            "sum over the drawn prompts first, then divide once.",
            lambda circuit, nothing, full, templates, draws: (
                _template_means(circuit - nothing, templates, draws)
                / _template_means(full - nothing, templates, draws)
            ).mean(dim=1),
        ),
        Mistake(
            "every template with equal weight",
            "sum over prompts: a template with more prompts counts more.",
            lambda circuit, nothing, full, templates, draws: (
                _template_means(circuit - nothing, templates, draws).sum(dim=1)
                / _template_means(full - nothing, templates, draws).sum(dim=1)
            ),
        ),
        Mistake(
            "not measured from nothing",
            "subtract `nothing` above and below the line.",
            _ratio(lambda circuit, nothing, full: circuit, lambda circuit, nothing, full: full),
        ),
        Mistake(
            "nothing subtracted once",
            "subtract `nothing` above and below the line.",
            _ratio(_gained, lambda circuit, nothing, full: full),
        ),
        Mistake(
            "what is missing",
            "this is the fraction that is lost.",
            _ratio(lambda circuit, nothing, full: full - circuit, _possible),
        ),
        Mistake(
            "prompts drawn, not templates",
            "`draws` holds numbers of templates: take all prompts with this number.",
            lambda circuit, nothing, full, templates, draws: (
                (circuit - nothing)[draws].sum(dim=1) / (full - nothing)[draws].sum(dim=1)
            ),
        ),
        Mistake(
            "upside down",
            "the circuit's gain is above the line, the full model's below it.",
            _ratio(_possible, _gained),
        ),
        Mistake(
            "cut off",
            "keep values below 0 and above 1.",
            lambda *arguments: resampled_faithfulness(*arguments).clamp(0, 1),
        ),
        Mistake(
            "one number",
            "expected one number per sample: their spread is the interval.",
            lambda *arguments: resampled_faithfulness(*arguments).mean(),
        ),
        Mistake(
            "sorted",
            "keep the order of the samples.",
            lambda *arguments: resampled_faithfulness(*arguments).sort().values,
        ),
    ),
)
