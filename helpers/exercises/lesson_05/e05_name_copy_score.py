"""Exercise 5.5: the copy score of a head."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.ioi import name_copy_score

SIZES = (29, 6, 3, 60), (18, 5, 7, 11)  # names, d_model, d_head, d_vocab


def _ov_logits(stream, W_V, W_O, W_U):
    """Logits of the head's output when it attends to one row of the stream, ``[name d_vocab]``."""
    return stream @ W_V @ W_O @ W_U


def _score(
    logits_of=_ov_logits, hits_of=lambda top, tokens: (top == tokens[:, None]).any(dim=-1), reduce=torch.mean
):
    """``reduce`` of the hits among the k highest of ``logits_of(stream, W_V, W_O, W_U)``."""

    def answer(stream, tokens, W_V, W_O, W_U, k):
        top = logits_of(stream, W_V, W_O, W_U).topk(k, dim=-1).indices
        return reduce(hits_of(top, tokens).float())

    return answer


def _among_the_names(names_of):
    """The score if a token must be among the k highest of ``names_of(tokens)``."""

    def answer(stream, tokens, W_V, W_O, W_U, k):
        names = names_of(tokens)
        top = _ov_logits(stream, W_V, W_O, W_U)[:, names].topk(min(k, len(names)), dim=-1).indices
        return (names[top] == tokens[:, None]).any(dim=-1).float().mean()

    return answer


def _each_name_once(stream, tokens, W_V, W_O, W_U, k):
    hits = _score(reduce=lambda hits: hits)(stream, tokens, W_V, W_O, W_U, k)
    return torch.stack([hits[tokens == token].max() for token in tokens.unique()]).mean()


def _inputs(n_names: int, d_model: int, d_head: int, d_vocab: int):
    """A head that copies some names, repeated ones among them, and lowers or ignores the others."""
    random = generator(0)
    shapes = (d_model, d_head), (d_head, d_model), (d_model, d_vocab)
    W_V, W_O, W_U = (torch.randn(*shape, generator=random) for shape in shapes)
    tokens = torch.randint(d_vocab, (n_names,), generator=random)
    # the head raises the token of each row
    stream = torch.linalg.lstsq((W_V @ W_O).T, W_U[:, tokens], driver="gelsd").solution.T
    stream[:4] *= -1  # the head lowers the token
    stream[-5:] = W_U[:, tokens[-5:]].T  # the stream itself holds the token, the head does not raise it
    return stream + torch.randn(n_names, d_model, generator=random), tokens, W_V, W_O, W_U


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: rank by counting. No two logits that are compared are nearly equal."""
    for sizes in SIZES:
        stream, tokens, W_V, W_O, W_U = _inputs(*sizes)
        for k in (1, 3, 8):
            hits = 0
            for row, token in zip(stream, tokens):
                logits = W_U.T @ (W_O.T @ (W_V.T @ row))
                hits += (logits > logits[token]).sum().item() < k
            trial.matches((stream, tokens, W_V, W_O, W_U, k), torch.tensor(hits / len(tokens)), "")


EXERCISE = Exercise(
    id="5.5",
    title="the copy score",
    minutes=6,
    difficulty=2,
    hints=(
        "What would the head write if it attended to this token fully? And which logits would that raise?",
        "It writes `stream @ W_V @ W_O`, and `@ W_U` turns that into logits, `[name, d_vocab]`.",
        "`topk` along the vocabulary also returns indices: the k highest tokens of each row. Is the row's own token among them?",
    ),
    reference=name_copy_score,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "the stream unembedded as it is",
            "this is the logit lens of the stream, not of the head's output: W_V and W_O are missing.",
            _score(lambda stream, W_V, W_O, W_U: stream @ W_U),
        ),
        Mistake(
            "the stream added",
            "take the logits of the head's output alone, without the stream that it is added to.",
            _score(lambda stream, W_V, W_O, W_U: (stream + stream @ W_V @ W_O) @ W_U),
        ),
        Mistake(
            "largest in size",
            "a strongly negative logit lowers a token: take the highest, without abs().",
            _score(lambda *head: _ov_logits(*head).abs()),
        ),
        Mistake(
            "the highest of the names",
            "rank a token among the whole vocabulary, not only among the given tokens.",
            _among_the_names(lambda tokens: tokens),
        ),
        Mistake(
            "the highest of the names",
            "rank a token among the whole vocabulary, not only among the given tokens.",
            _among_the_names(torch.unique),
        ),
        Mistake(
            "each name counted once",
            "every row counts: divide by the number of rows, not by that of different tokens.",
            _each_name_once,
        ),
        Mistake(
            "only the highest",
            "a token counts if it is among the k highest, not only if it is the highest.",
            lambda stream, tokens, W_V, W_O, W_U, k: name_copy_score(stream, tokens, W_V, W_O, W_U, 1),
        ),
        Mistake(
            "always 5",
            "use `k`: the check tries several.",
            lambda stream, tokens, W_V, W_O, W_U, k: name_copy_score(stream, tokens, W_V, W_O, W_U, 5),
        ),
        Mistake(
            "the lowest",
            "take the k highest logits, not the lowest.",
            _score(lambda *head: -_ov_logits(*head)),
        ),
        Mistake(
            "divided by k, too",
            "a name counts once if any of its k tokens is the name itself: `.any(dim=-1)` first.",
            _score(hits_of=lambda top, tokens: top == tokens[:, None]),
        ),
        Mistake(
            "an empty row counted",
            "divide by the number of tokens: an extra row makes every score too small.",
            _score(reduce=lambda hits: hits.sum() / (len(hits) + 1)),
        ),
        Mistake(
            "a count instead of a fraction",
            "divide by the number of tokens.",
            _score(reduce=torch.sum),
        ),
        Mistake(
            "LayerNorm applied",
            "use the stream as it is. In the folded model these rows have mean 0 already, here LayerNorm would also centre them.",
            _score(
                lambda stream, *weights: _ov_logits(
                    torch.nn.functional.layer_norm(stream, stream.shape[-1:]), *weights
                )
            ),
        ),
        Mistake(
            "another row's token",
            "compare row n with `tokens[n]`: make the tokens a column, `tokens[:, None]`.",
            _score(hits_of=lambda top, tokens: torch.isin(top, tokens).any(dim=-1)),
        ),
    ),
)
