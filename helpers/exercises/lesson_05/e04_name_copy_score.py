"""Exercise 5.4: the copy score of a head."""

import torch

from helpers.exercises.engine import Exercise, Mistake, Trial
from helpers.exercises.inputs import generator
from helpers.ioi import name_copy_score


def _share(logits_of, count=lambda hits: hits.float().mean(), highest=True):
    """The share of tokens among the k highest of ``logits_of(...)``, counted in some way."""

    def answer(stream, tokens, W_V, W_O, W_U, k):
        logits = logits_of(stream, W_V, W_O, W_U)
        hits = (logits.topk(k, dim=-1, largest=highest).indices == tokens[:, None]).any(dim=-1)
        return count(hits)

    return answer


def _through(stream, W_V, W_O, W_U):
    return stream @ W_V @ W_O @ W_U


def _without_OV(stream, tokens, W_V, W_O, W_U, k):
    hits = ((stream @ W_U).topk(k, dim=-1).indices == tokens[:, None]).any(dim=-1)
    return hits.float().mean()


def _equals_by_hand(trial: Trial) -> None:
    """Oracle: rank by counting, for weights that copy some tokens and not others."""
    random = generator(313)
    W_V, W_O, W_U = (torch.randn(*shape, generator=random) for shape in ((6, 3), (3, 6), (6, 60)))
    tokens = torch.randperm(60, generator=random)[:24]
    stream = torch.linalg.lstsq((W_V @ W_O).T, W_U[:, tokens]).solution.T  # the head raises the token itself
    stream[:4] *= -1  # lowers it
    stream[-5:] = W_U[:, tokens[-5:]].T  # the stream says it, not the head
    stream = stream + torch.randn(24, 6, generator=random)
    for k in (3, 7):
        hits = 0
        for n in range(24):
            logits = W_U.T @ (W_O.T @ (W_V.T @ stream[n]))
            hits += (logits > logits[tokens[n]]).sum().item() < k
        trial.matches((stream, tokens, W_V, W_O, W_U, k), torch.tensor(hits / 24), "")


EXERCISE = Exercise(
    id="5.4",
    title="the copy score",
    minutes=6,
    difficulty=2,
    hints=(
        "What would the head store if it attended to this token fully? stream @ W_V @ W_O. What would that raise? @ W_U.",
        "logits.topk(k).indices holds the k highest tokens of each row: is the row's own token among them?",
    ),
    reference=name_copy_score,
    tests=(_equals_by_hand,),
    mistakes=(
        Mistake(
            "the stream unembedded as it is",
            "this asks what the stream says, not what the head stores of it: W_V and W_O are missing.",
            _without_OV,
        ),
        Mistake(
            "only the highest",
            "count a token that is among the k highest, not only the highest.",
            lambda stream, tokens, W_V, W_O, W_U, k: (
                (_through(stream, W_V, W_O, W_U).argmax(-1) == tokens).float().mean()
            ),
        ),
        Mistake("the lowest", "the k highest logits, not the lowest.", _share(_through, highest=False)),
        Mistake(
            "divided by k, too",
            "a name counts once if any of its k tokens is the name itself: .any(dim=-1) first.",
            lambda stream, tokens, W_V, W_O, W_U, k: name_copy_score(stream, tokens, W_V, W_O, W_U, k) / k,
        ),
        Mistake(
            "an empty row counted",
            "divide by the number of tokens there are: an extra row makes every score too small.",
            _share(_through, lambda hits: hits.float().sum() / (len(hits) + 1)),
        ),
        Mistake(
            "a count instead of a share",
            "divide by the number of tokens.",
            _share(_through, lambda hits: hits.float().sum()),
        ),
        Mistake(
            "LayerNorm applied",
            "use the stream as it is given: in the model LayerNorm only scales a row, here it would also centre it.",
            _share(
                lambda stream, W_V, W_O, W_U: _through(
                    torch.nn.functional.layer_norm(stream, stream.shape[-1:]), W_V, W_O, W_U
                )
            ),
        ),
        Mistake(
            "another row's token",
            "compare row n with tokens[n]: a column, tokens[:, None].",
            lambda stream, tokens, W_V, W_O, W_U, k: (
                torch.isin(_through(stream, W_V, W_O, W_U).topk(k, dim=-1).indices, tokens)
                .any(dim=-1)
                .float()
                .mean()
            ),
        ),
    ),
)
