"""Exercise 8.10: what each feature adds to a metric, and the error as a node."""

from operator import itemgetter

import torch
from torch import Tensor

from helpers.exercises.engine import Exercise, Mistake, Trial, Wrong
from helpers.exercises.inputs import generator
from helpers.feature_graphs import feature_attributions

PARTS = ("by_feature", "bias", "error")


def _error(features, W_dec, b_dec, mlp_out):
    return mlp_out - features @ W_dec - b_dec


def _variant(by_feature=None, bias=None, error=None):
    """The reference, with other functions of its arguments for some of its parts."""

    def answer(*arguments):
        parts = zip((by_feature, bias, error), feature_attributions(*arguments))
        return tuple(part if function is None else function(*arguments) for function, part in parts)

    return answer


def _with_gradient(change):
    """The reference with another gradient."""
    return lambda *arguments: feature_attributions(*arguments[:4], change(arguments[4]))


def _of_parts(function):
    """The reference, with a function of each part."""
    return lambda *arguments: tuple(map(function, feature_attributions(*arguments)))


def _by_hand(features, W_dec, b_dec, mlp_out, gradient) -> tuple[Tensor, Tensor, Tensor]:
    """Oracle: dot products one by one, prompt by prompt and position by position."""
    by_feature, bias, error = torch.zeros_like(features), *torch.zeros(2, *features.shape[:2])
    for prompt in range(features.shape[0]):
        for pos in range(features.shape[1]):
            g, missing = gradient[prompt, pos], mlp_out[prompt, pos].clone()
            for number, row in enumerate(W_dec):
                written = features[prompt, pos, number] * row
                by_feature[prompt, pos, number] = torch.dot(written, g)
                missing -= written
            bias[prompt, pos] = torch.dot(b_dec, g)
            error[prompt, pos] = torch.dot(missing - b_dec, g)
    return by_feature, bias, error


def _equals_by_hand(trial: Trial) -> None:
    """Oracle on shapes without equal axes; the parts sum to the linear effect of the output."""
    for n_prompts, n_pos, n_features, d_model in ((3, 5, 7, 4), (1, 2, 6, 3), (4, 1, 5, 6)):
        features = torch.randn(n_prompts, n_pos, n_features, generator=generator(0)).relu()
        W_dec = torch.randn(n_features, d_model, generator=generator(1))
        b_dec = torch.randn(d_model, generator=generator(2))
        mlp_out, gradient = torch.randn(2, n_prompts, n_pos, d_model, generator=generator(3))
        arguments = (features, W_dec, b_dec, mlp_out, gradient)
        _check_three_parts(trial.call(*arguments))
        for number, (name, part) in enumerate(zip(PARTS, _by_hand(*arguments))):
            axes = "prompt pos" if number else "prompt pos feature"
            trial.matches(arguments, part, axes, pick=itemgetter(number), what=name)
        total = (mlp_out * gradient).sum(dim=-1)
        what = "features, bias and error summed"
        trial.behaves(
            lambda answer, arguments=arguments: _summed(answer(*arguments)), total, "prompt pos", what=what
        )


def _summed(parts) -> Tensor:
    return parts[0].sum(dim=-1) + parts[1] + parts[2]


def _check_three_parts(output) -> None:
    """Raise ``Wrong`` unless the output has three parts."""
    if not (isinstance(output, tuple | list) and len(output) == 3):
        raise Wrong(
            "wrong type", f"expected three tensors, ({', '.join(PARTS)}), got {type(output).__name__}."
        )


EXERCISE = Exercise(
    id="8.10",
    title="attribution of features",
    minutes=10,
    difficulty=2,
    hints=(
        "To first order a vector v that is added to the MLP's output changes the metric by v · gradient. "
        "Apply this to three kinds of vectors.",
        "`gradient @ W_dec.T` is the dot product of every decoder row with the gradient, [prompt, pos, feature]. "
        "Each is multiplied by the activation.",
        "The error is `mlp_out` minus the reconstruction `features @ W_dec + b_dec`. "
        "Multiply by the gradient and sum over d_model.",
    ),
    reference=feature_attributions,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "without the activation",
            "multiply by the activation: a feature that is not active adds nothing.",
            _variant(lambda features, W_dec, b_dec, mlp_out, gradient: gradient @ W_dec.T),
        ),
        Mistake(
            "only on and off",
            "multiply by the activation itself, not by 1 where the feature is active.",
            _variant(lambda features, W_dec, b_dec, mlp_out, gradient: (features > 0) * (gradient @ W_dec.T)),
        ),
        Mistake(
            "unit decoder rows",
            "a feature writes its activation times its decoder row. Do not normalize the rows.",
            _variant(
                lambda features, W_dec, b_dec, mlp_out, gradient: (
                    features * (gradient @ (W_dec / W_dec.norm(dim=1, keepdim=True)).T)
                )
            ),
        ),
        Mistake(
            "bias left in the error",
            "the reconstruction includes b_dec, so the error does not.",
            _variant(
                error=lambda features, W_dec, b_dec, mlp_out, gradient: (
                    (mlp_out - features @ W_dec) * gradient
                ).sum(dim=-1)
            ),
        ),
        Mistake(
            "reconstruction minus output",
            "the error is what the transcoder misses: mlp_out minus the reconstruction.",
            _variant(
                error=lambda features, W_dec, b_dec, mlp_out, gradient: (
                    -(_error(features, W_dec, b_dec, mlp_out) * gradient).sum(dim=-1)
                )
            ),
        ),
        Mistake(
            "reconstruction in place of the error",
            "the third part is what the reconstruction misses, not the reconstruction.",
            _variant(
                error=lambda features, W_dec, b_dec, mlp_out, gradient: (
                    (features @ W_dec + b_dec) * gradient
                ).sum(dim=-1)
            ),
        ),
        Mistake(
            "whole output in place of the error",
            "subtract the reconstruction from mlp_out first.",
            _variant(
                error=lambda features, W_dec, b_dec, mlp_out, gradient: (mlp_out * gradient).sum(dim=-1)
            ),
        ),
        Mistake(
            "size of the error",
            "the error is a node as the features are: its dot product with the gradient, not its norm.",
            _variant(
                error=lambda features, W_dec, b_dec, mlp_out, gradient: _error(
                    features, W_dec, b_dec, mlp_out
                ).norm(dim=-1)
            ),
        ),
        Mistake(
            "bias counted as 0",
            "the bias writes at every position, too: b_dec · gradient.",
            _variant(bias=lambda features, W_dec, b_dec, mlp_out, gradient: 0 * gradient.sum(dim=-1)),
        ),
        Mistake(
            "mean gradient",
            "every prompt has its own gradient at every position.",
            _with_gradient(lambda gradient: gradient.mean(dim=0, keepdim=True).expand_as(gradient)),
        ),
        Mistake(
            "last position's gradient",
            "every position has its own gradient.",
            _with_gradient(lambda gradient: gradient[:, -1:].expand_as(gradient)),
        ),
        Mistake(
            "unit gradient",
            "use the gradient as it is: its length says how much the metric changes.",
            _with_gradient(lambda gradient: gradient / gradient.norm(dim=-1, keepdim=True)),
        ),
        Mistake(
            "sizes of the effects",
            "keep the signs: a feature may lower the metric.",
            _of_parts(torch.abs),
        ),
        Mistake(
            "opposite sign",
            "an effect is what the feature adds. Removing it would change the metric by the opposite.",
            _of_parts(torch.neg),
        ),
        Mistake(
            "summed over positions",
            "keep one number per position.",
            _of_parts(lambda part: part.sum(dim=1)),
        ),
        Mistake(
            "bias and error exchanged",
            "return the features, then the bias, then the error.",
            lambda *arguments: tuple(feature_attributions(*arguments)[number] for number in (0, 2, 1)),
        ),
    ),
)
