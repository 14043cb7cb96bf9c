"""Answers that learners of lesson 6 may well give: each is rejected, with the diagnosis that names its mistake."""

import math

import pytest
import torch
from torch import nn

from helpers.neurons import agreement, label_fractions
from helpers.plots import arrows
from helpers.toys import superposition
from tests.wrong_answers import assert_passes, assert_rejected, cases, names

# 6.1 ------------------------------------------------------------------------------------------------------------------


def outer(x, W_in, b_in, W_out, act, fires=None, values=None):
    fires = act(torch.einsum("d,dn->n", x, W_in) + b_in) if fires is None else fires
    return torch.einsum("n,nd->nd", fires, W_out if values is None else values)


MEMORIES = {
    "activation left out": lambda x, K, b, V, act: outer(x, K, b, V, lambda pre: pre),
    "bias left out": lambda x, K, b, V, act: outer(x, K, 0 * b, V, act),
    "bias added after the activation": lambda x, K, b, V, act: outer(x, K, b, V, act, fires=b + act(K.T @ x)),
    "already summed": lambda x, K, b, V, act: outer(x, K, b, V, act).sum(0),
    "activation of the product": lambda x, K, b, V, act: act(outer(x, K, b, V, lambda pre: pre)),
    "keys instead of values": lambda x, K, b, V, act: outer(x, K, b, V, act, values=K.T),
    "values of length 1": lambda x, K, b, V, act: outer(x, K, b, V, act, values=V / V.norm(dim=1)[:, None]),
    "transposed": lambda x, K, b, V, act: outer(x, K, b, V, act).T,
    "another activation": lambda x, K, b, V, act: outer(x, K, b, V, nn.functional.relu),
    "wrong values": lambda x, K, b, V, act: outer(x, K, b, V, lambda y: act(y) ** 2),
    "exception": lambda x, K, b, V, act: act(W_in @ x + b)[:, None] * V,  # noqa: F821
}

# 6.2 ------------------------------------------------------------------------------------------------------------------


def ranked(activations, count, key=lambda value: -value, first=1, late=0, a_text=1):
    """Cells of the texts sorted by a key, by a loop."""
    cells = [
        (key(v), text, pos) for text, row in enumerate(activations.tolist()) for pos, v in enumerate(row)
    ]
    chosen = []
    for _, text, pos in sorted(cell for cell in cells if cell[2] >= first):
        if [other for other, _ in chosen].count(text) < a_text:
            chosen.append((text, pos + late))
    return torch.tensor(chosen[:count])


CONTEXTS = {
    "several contexts of one text": lambda a, n: ranked(a, n, a_text=99),
    "beginning-of-text counted": lambda a, n: ranked(a, n, first=0),
    "off by one": lambda a, n: ranked(a, n, late=-1),
    "largest in size": lambda a, n: ranked(a, n, key=lambda value: -abs(value)),
    "lowest instead of highest": lambda a, n: ranked(a, n, key=lambda value: value),
    "lowest of them first": lambda a, n: torch.flip(ranked(a, n), (0,)),
    "position before text": lambda a, n: ranked(a, n)[:, [1, 0]],
    "in the order of the texts": lambda a, n: torch.tensor(sorted(ranked(a, n).tolist())),
    "wrong shape": [lambda a, n: ranked(a, n).T, lambda a, n: ranked(a, n + 1)],
    "wrong type": lambda a, n: ranked(a, n).tolist(),
}

# 6.3 ------------------------------------------------------------------------------------------------------------------


def cosine(
    K, V, gain, on_key=True, on_value=False, key_centred=True, value_centred=True, unit=True, first=False
):
    keys, values = K.T.clone(), V.clone()
    if first:
        keys = keys - keys.mean(1)[:, None]
    keys, values = keys * gain if on_key else keys, values * gain if on_value else values
    if key_centred and not first:
        keys = keys - keys.mean(1)[:, None]
    if value_centred:
        values = values - values.mean(1)[:, None]
    dots = (keys * values).sum(1)
    return dots / (keys.norm(dim=1) * values.norm(dim=1)) if unit else dots


COSINES = {
    "gain left out": lambda *given: cosine(*given, on_key=False),
    "not centred": lambda *given: cosine(*given, key_centred=False, value_centred=False),
    "key not centred": lambda *given: cosine(*given, key_centred=False),
    "value not centred": lambda *given: cosine(*given, value_centred=False),
    "centred before the gain": lambda *given: cosine(*given, first=True),
    "gain on the value, too": lambda *given: cosine(*given, on_value=True),
    "gain on the value": lambda *given: cosine(*given, on_key=False, on_value=True),
    "divided by the gain": lambda K, V, gain: cosine(K, V, 1 / gain),
    "dot product": lambda *given: cosine(*given, unit=False),
    "sign lost": lambda *given: cosine(*given) ** 2 / cosine(*given).abs(),
    "raw weights": lambda K, V, gain: nn.functional.cosine_similarity(K.T, V),
    "wrong values": lambda K, V, gain: nn.functional.cosine_similarity(K.T, V) ** 2,
    "exception": lambda K, V, gain: nn.functional.cosine_similarity(gain * K, V),
}

# 6.4 ------------------------------------------------------------------------------------------------------------------


def error(W, b, x, importance, power=2, weights=None, relu=torch.relu, inner=lambda h: h, inside=1.0):
    """The weighted errors, [row feature]."""
    hidden = inner(torch.einsum("mi,ri->rm", W, x))
    back = relu(torch.einsum("mj,rm->rj", W, hidden) + inside * b)
    return (importance if weights is None else weights) * (x - back).abs() ** power


LOSSES = {
    "ReLU left out": lambda *given: error(*given, relu=lambda pre: pre).sum(1).mean(),
    "ReLU of the directions": lambda *given: (
        error(*given, relu=lambda pre: pre, inner=torch.relu).sum(1).mean()
    ),
    "bias left out": lambda *given: error(*given, inside=0).sum(1).mean(),
    "bias after the ReLU": lambda W, b, x, i: (
        error(W, b, x, i, inside=0, relu=lambda p: p.relu() + b).sum(1).mean()
    ),
    "importance left out": lambda *given: error(*given, weights=1).sum(1).mean(),
    "importance squared": lambda W, b, x, i: error(W, b, x, i**2).sum(1).mean(),
    "importance in the input": lambda W, b, x, i: error(W, b, i * x, i, weights=1).sum(1).mean(),
    "mean over features": lambda *given: error(*given).mean(),
    "summed over rows": lambda *given: error(*given).sum(),
    "absolute error": lambda *given: error(*given, power=1).sum(1).mean(),
    "one loss a row": lambda *given: error(*given).sum(1),
    "exception": lambda W, b, x, i: (i * (x - torch.relu(x @ W @ W.T + b)) ** 2).sum(1).mean(),
}

# 6.5 ------------------------------------------------------------------------------------------------------------------


def shares(W, of=lambda own, overlaps, i: own**2 / max((overlaps**2).sum().item(), 1e-12)):
    columns = W.T
    return torch.tensor(
        [float(of((column @ column).item(), columns @ column, i)) for i, column in enumerate(columns)]
    )


def tiny(value):
    return max(float(value), 1e-12)


DIMENSIONS = {
    "overlaps not squared one by one": lambda W: shares(
        W, lambda own, o, i: own**2 / tiny(o.abs().sum()) ** 2
    ),
    "the feature itself left out of the sum": lambda W: shares(
        W, lambda own, o, i: own**2 / tiny((o**2).sum() - o[i] ** 2)
    ),
    "upside down": lambda W: shares(W, lambda own, o, i: (o**2).sum() / tiny(own**2)),
    "norm to the second power": lambda W: shares(W, lambda own, o, i: own / tiny((o**2).sum())),
    "overlaps without squares": lambda W: shares(W, lambda own, o, i: own / tiny(o.sum())),
    "sizes of overlaps instead of squares": lambda W: shares(W, lambda own, o, i: own / tiny(o.abs().sum())),
    "not divided": lambda W: shares(W, lambda own, o, i: own),
    "NaN for a feature that is not stored": lambda W: (
        torch.einsum("mi,mi->i", W, W) ** 2 / (torch.einsum("mi,mj->ij", W, W) ** 2).sum(0)
    ),
    "one number for all": lambda W: (W.norm(dim=0) ** 4).sum() / (W.T @ W).norm() ** 2,
    "directions instead of features": lambda W: shares(W.T),
    "wrong shape": lambda W: (W.norm() ** 2 / len(W)).repeat(len(W)),
}

# 6.6 ------------------------------------------------------------------------------------------------------------------


def hook(change, place="blocks.{}.hook_resid_pre"):
    return lambda direction, layer, strength: (
        place.format(layer),
        lambda resid, hook: change(resid, strength, direction),
    )


def at(positions, resid, push):
    mask = torch.zeros(resid.shape[1], 1)
    mask[positions] = 1
    return resid + mask * push


def in_place(resid, strength, direction):
    resid[:, 1:] += strength * direction
    return resid


REST = slice(1, None)
HOOKS = {
    "first position steered, too": hook(lambda resid, s, d: torch.add(resid, d, alpha=s)),
    "only the last position": hook(lambda resid, s, d: at(-1, resid, s * d)),
    "strength left out": hook(lambda resid, s, d: at(REST, resid, d)),
    "stream replaced": hook(lambda resid, s, d: at(REST, at(REST, resid, -resid), s * d)),
    "subtracted": hook(lambda resid, s, d: at(REST, resid, -s * d)),
    "direction shortened to length 1": hook(
        lambda resid, s, d: at(REST, resid, s * nn.functional.normalize(d, dim=0))
    ),
    "stream changed in place": hook(in_place),
    "hook returns None": hook(lambda resid, s, d: None),
    "another place": [
        hook(lambda resid, s, d: at(REST, resid, s * d), "blocks.{}.hook_resid_mid"),
        hook(lambda resid, s, d: at(REST, resid, s * d), "hook_resid_pre"),
    ],
    "not a hook": [
        lambda direction, layer, strength: lambda resid, hook: resid + strength * direction,
        lambda direction, layer, strength: strength * direction,
    ],
    "wrong values": hook(lambda resid, s, d: at(0, resid, s * d)),
    "exception": hook(lambda resid, s, d: at(REST, resid, s * d @ d @ d)),
}

# 6.7 ------------------------------------------------------------------------------------------------------------------


def mean_stream(model, texts, layer, pick=lambda stream: stream[-1], place="hook_resid_pre"):
    total = 0
    for text in texts:
        _, cache = model.run_with_cache(model.to_tokens(text))
        total = total + pick(cache[f"blocks.{layer}.{place}"][0])
    return total / len(texts)


def difference(**how):
    return lambda model, yes, no, layer: (
        mean_stream(model, yes, layer, **how) - mean_stream(model, no, layer, **how)
    )


CONTRASTS = {
    "mean over positions": difference(pick=lambda stream: stream.mean(0)),
    "first position": difference(pick=lambda stream: stream[0]),
    "the token before the last": difference(pick=lambda stream: stream[-2]),
    "the stream after the layer": lambda model, yes, no, layer: (
        mean_stream(model, yes, layer, place="hook_resid_post")
        - mean_stream(model, no, layer, place="hook_resid_post")
    ),
    "the wrong way round": lambda model, yes, no, layer: difference()(model, no, yes, layer),
    "sums instead of means": lambda model, yes, no, layer: (
        len(yes) * mean_stream(model, yes, layer) - len(no) * mean_stream(model, no, layer)
    ),
    "only the first text of each kind": lambda model, yes, no, layer: difference()(
        model, yes[:1], no[:1], layer
    ),
    "negative texts left out": lambda model, yes, no, layer: mean_stream(model, yes, layer),
    "length 1": lambda *given: difference()(*given) / difference()(*given).norm(),
    "wrong values": lambda model, yes, no, layer: difference()(model, yes, no, 0),
    "exception": lambda model, yes, no, layer: difference(place="hook_resid")(model, yes, no, layer),
    "returned None": lambda *given: None,
}

# 6.8 ------------------------------------------------------------------------------------------------------------------


def kl(
    plain, steered, dim=-1, of=lambda p, q: p * (p.log() - q.log()), reduce=lambda each: each.sum(-1).mean()
):
    return reduce(of(plain.softmax(dim), steered.softmax(dim)))


DIVERGENCES = {
    "the other direction": lambda plain, steered: kl(steered, plain),
    "the wrong way round inside": lambda *given: -kl(*given),
    "summed over positions": lambda *given: kl(*given, reduce=torch.sum),
    "mean over the vocabulary": [
        lambda *given: kl(*given, reduce=torch.mean),
        lambda a, b: nn.functional.kl_div(b.log_softmax(-1), a.softmax(-1), reduction="none").mean(),
    ],
    "bits instead of nats": lambda *given: kl(*given) / math.log(2),
    "not weighted": lambda *given: kl(*given, of=lambda p, q: p.log() - q.log()),
    "cross-entropy": lambda *given: kl(*given, of=lambda p, q: -p * q.log()),
    "softmax over positions": lambda *given: kl(*given, dim=1),
    "raw logits": lambda plain, steered: (plain.softmax(-1) * plain - plain.softmax(-1) * steered).sum(-1).mean(),
    "one number a position": lambda *given: kl(*given, reduce=lambda each: each.sum(-1)),
    "wrong values": lambda *given: kl(*given, of=lambda p, q: (p - q).abs()),
}  # fmt: skip

ANSWERS = {
    "6.1": MEMORIES, "6.2": CONTEXTS, "6.3": COSINES, "6.4": LOSSES,
    "6.5": DIMENSIONS, "6.6": HOOKS, "6.7": CONTRASTS, "6.8": DIVERGENCES,
}  # fmt: skip
CASES = cases(ANSWERS)


@pytest.mark.parametrize(("exercise_id", "diagnosis", "answer"), CASES, ids=names(CASES))
def test_a_wrong_answer_is_rejected_and_named(exercise_id, diagnosis, answer):
    assert_rejected(exercise_id, diagnosis, answer)


RIGHT = {
    "6.1": outer, "6.2": ranked, "6.3": cosine, "6.4": lambda *given: error(*given).sum(1).mean(), "6.5": shares,
    "6.6": hook(lambda resid, s, d: at(REST, resid, s * d)), "6.7": difference(), "6.8": kl,
}  # fmt: skip


@pytest.mark.parametrize(("exercise_id", "answer"), RIGHT.items())
def test_a_right_answer_in_another_way_passes(exercise_id, answer):
    assert_passes(exercise_id, answer)


# What the figures show ------------------------------------------------------------------------------------------------


def neurons():
    """Random activations of 3 neurons on 12 texts of 8 tokens out of 5."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(12, 8, 3, generator=generator), torch.randint(5, (12, 8), generator=generator)


def test_agreement_and_labels_are_those_of_a_loop():
    activations, tokens = neurons()
    written = torch.tensor([1, 0, 4])
    agree = agreement(activations, tokens, written, count=4)
    fits, of_all = label_fractions(activations, tokens, count=4)
    for n in range(3):
        places = ranked(activations[:, :7, n], 4).tolist()
        assert agree[n] == sum(tokens[text, pos + 1] == written[n] for text, pos in places) / 4
        labels = []
        for ahead in (0, 1):
            said = [tokens[text, pos + ahead].item() for text, pos in places]
            best = max(range(5), key=said.count)
            labels.append((said.count(best) / 4, -ahead, best))
        share, ahead, best = max(labels)
        assert fits[n] == share
        cells = [(text, pos) for text in range(12) for pos in range(1, 7)]
        mass = [max(activations[text, pos, n].item(), 0) for text, pos in cells]
        named = [m for m, (text, pos) in zip(mass, cells) if tokens[text, pos - ahead] == best]
        assert of_all[n].item() == pytest.approx(sum(named) / sum(mass), abs=1e-5)


def test_arrows_go_from_the_origin_to_the_directions():
    figure = arrows({"a": torch.tensor([[1.0, 0], [0, 2]]), "b": torch.ones(2, 2)}, ["x", "<b>"], "title")
    assert [list(trace.x) + list(trace.y) for trace in figure.data][:2] == [[0, 1, 0, 0], [0, 0, 0, 2]]
    assert len(figure.data) == 4 and figure.data[1].text[1] == "&lt;b&gt;"
    assert figure.layout.xaxis.range == figure.layout.yaxis2.range


def test_the_toy_goes_from_directions_of_their_own_to_a_pentagon():
    dense, sparse = (
        list(superposition.train(density=density, steps=2000, every=2000))[-1] for density in (1.0, 0.03)
    )
    shares_of = [
        superposition.feature_dimensionality(record.W).sort(descending=True).values
        for record in (dense, sparse)
    ]
    assert shares_of[0] == pytest.approx([1, 1, 0, 0, 0], abs=0.05)
    assert shares_of[1] == pytest.approx([0.4] * 5, abs=0.05)


def test_with_dropout_no_direction_is_indispensable():
    by_lot = torch.Generator().manual_seed(0)

    def forgetful(W, b, x, importance):
        keep = (torch.rand(len(W), 1, generator=by_lot) > 0.2) / 0.8
        return superposition.superposition_loss(keep.sqrt() * W, b, x, importance)

    worst = []
    for loss_of in (superposition.superposition_loss, forgetful):
        *_, end = superposition.train(loss_of, directions=16, density=0.2, steps=1500, every=1500)
        x = superposition.features(5000, 5, 0.2, by_lot)
        masks = 1 - torch.eye(16)[:, :, None]
        losses = [
            superposition.superposition_loss(m * end.W, end.b, x, 0.9 ** torch.arange(5)) for m in masks
        ]
        worst.append(max(losses))
    assert worst[1] < 0.6 * worst[0]
