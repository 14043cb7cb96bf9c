"""Answers of exercises 4.1 to 4.4: sequences that repeat, and scores of heads on them."""

import torch
from torch import nn

# 4.1 ------------------------------------------------------------------------------------------------------------------


def draw(batch, length, d_vocab, bos, generator):
    allowed = torch.tensor([token for token in range(d_vocab) if token != bos])
    return allowed[torch.randint(len(allowed), (batch, length), generator=generator)]


def repeated(batch, length, d_vocab, bos, generator, half=draw):
    once = half(batch, length, d_vocab, bos, generator)
    return torch.hstack([torch.full((batch, 1), bos), once, once])


def redrawn(batch, length, d_vocab, bos, generator):
    once = torch.randint(d_vocab, (batch, length), generator=generator)
    while (again := once == bos).any():
        once[again] = torch.randint(d_vocab, (int(again.sum()),), generator=generator)
    return once


def weighted(batch, length, d_vocab, bos, generator):
    weights = torch.ones(d_vocab)
    weights[bos] = 0
    return weights.multinomial(batch * length, replacement=True, generator=generator).view(batch, length)


def bos_free(tokens, d_vocab, bos):
    """Distinct tokens of a row with bos replaced by one that the row lacks."""
    for row in tokens:
        row[row == bos] = next(token for token in range(d_vocab) if token != bos and token not in row)
    return tokens


def from_numbers(numbers, v, bos):
    """Tokens without bos for numbers from 0 to v - 2."""
    return torch.tensor([token for token in range(v) if token != bos])[numbers]


def never_twice_in_a_row(b, n, v, bos, g):
    return from_numbers(torch.randint(1, v - 1, (b, n), generator=g).cumsum(1) % (v - 1), v, bos)


def mirrored_rows(b, n, v, bos, g):
    numbers = torch.randint(v - 1, (b, n), generator=g)
    numbers[1::2] = v - 2 - numbers[: 2 * (b // 2) : 2]
    return from_numbers(numbers, v, bos)


def dealt_out(b, n, v, bos, g):
    numbers = torch.arange(b * n)[torch.randperm(b * n, generator=g)] % (v - 1)
    return from_numbers(numbers.view(b, n), v, bos)


REPEATED = {
    "no beginning-of-text": [
        lambda b, n, v, bos, g: draw(b, n, v, bos, g).repeat(1, 2),
        lambda b, n, v, bos, g: torch.hstack([draw(b, n, v, bos, g).repeat(1, 2), torch.full((b, 1), bos)]),
    ],
    "bos repeated": lambda b, n, v, bos, g: repeated(b, n, v, bos, g)[:, : n + 1].repeat(1, 2),
    "bos among the tokens": lambda b, n, v, bos, g: repeated(
        b, n, v, bos, g, lambda *_: torch.randint(0, v, (b, n), generator=g)
    ),
    "not equally likely": [
        lambda b, n, v, bos, g: repeated(
            b, n, v, bos, g, lambda *_: torch.randint(bos + 1, v, (b, n), generator=g)
        ),
        lambda b, n, v, bos, g: repeated(
            b, n, v, bos, g, lambda *_: (half := torch.randint(0, v, (b, n), generator=g)) + (half == bos)
        ),
        lambda b, n, v, bos, g: repeated(  # the ends of the range are half as likely
            b,
            n,
            v,
            bos,
            g,
            lambda *_: (bos + 1 + (torch.rand(b, n, generator=g) * (v - 2)).round().long()) % v,
        ),
    ],
    "second copy differs": [
        lambda b, n, v, bos, g: torch.hstack([torch.full((b, 1), bos), draw(b, 2 * n, v, bos, g)]),
        lambda b, n, v, bos, g: torch.hstack(
            [torch.full((b, 1), bos), half := draw(b, n, v, bos, g), half.roll(1, 0)]
        ),
    ],
    "second copy in another order": lambda b, n, v, bos, g: torch.hstack(
        [torch.full((b, 1), bos), half := draw(b, n, v, bos, g), half.flip(1)]
    ),
    "one token per row": lambda b, n, v, bos, g: repeated(b, 1, v, bos, g)[:, [0] + 2 * n * [1]],
    "no token after itself": lambda b, n, v, bos, g: repeated(b, n, v, bos, g, never_twice_in_a_row),
    "not independent": [
        lambda b, n, v, bos, g: repeated(b, n, v, bos, g, mirrored_rows),
        lambda b, n, v, bos, g: repeated(b, n, v, bos, g, lambda *sizes: draw(*sizes)[torch.arange(b) // 2]),
    ],
    "rows share one draw": lambda b, n, v, bos, g: torch.vstack(
        [
            repeated(1, n, v, bos, g, lambda *_, half=half: half[:, torch.randperm(n, generator=g)])
            for half in b * [draw(1, n, v, bos, g)]
        ]
    ),
    "dealt out": lambda b, n, v, bos, g: repeated(b, n, v, bos, g, dealt_out),
    "all rows alike": lambda b, n, v, bos, g: repeated(1, n, v, bos, g).repeat(b, 1),
    "each token twice": lambda b, n, v, bos, g: torch.hstack(
        [torch.full((b, 1), bos), draw(b, n, v, bos, g).repeat_interleave(2, 1)]
    ),
    "generator ignored": lambda b, n, v, bos, g: repeated(b, n, v, bos, None),
    "not random": lambda b, n, v, bos, g: repeated(b, n, v, bos, torch.Generator().manual_seed(0)),
    "generator seeded": lambda b, n, v, bos, g: repeated(b, n, v, bos, g.manual_seed(3)),
    "generator set back": lambda b, n, v, bos, g: repeated(
        b, n, v, bos, torch.Generator().manual_seed(g.initial_seed())
    ),
    "no such token": lambda b, n, v, bos, g: repeated(
        b, n, v, bos, g, lambda *_: torch.randint(v, (b, n), generator=g) + 1
    ),
    "no token twice": lambda b, n, v, bos, g: repeated(
        b, n, v, bos, g, lambda *_: bos_free(torch.ones(b, v).multinomial(n, generator=g), v, bos)
    ),
    "wrong dtype": lambda b, n, v, bos, g: repeated(b, n, v, bos, g) + 0.5,
    "wrong shape": [
        lambda b, n, v, bos, g: repeated(b, n, v, bos, g).T,
        lambda b, n, v, bos, g: repeated(b, n, v, bos, g)[:, :-1],
    ],
    "wrong type": lambda b, n, v, bos, g: repeated(b, n, v, bos, g).tolist(),
}

# 4.2 ------------------------------------------------------------------------------------------------------------------


def nll(logits, tokens, shift=1, dim=-1, reduce=lambda x: x.mean(0)):
    log_probs = torch.log_softmax(logits, dim)
    n = logits.shape[1]
    positions = range(max(0, -shift), n - max(0, shift))
    columns = [-log_probs[torch.arange(len(tokens)), i, tokens[:, i + shift]] for i in positions]
    return reduce(torch.stack(columns, 1))


LOSS = {
    "loss of the present token": [
        lambda logits, tokens: nll(logits, tokens, 0)[:-1],
        lambda logits, tokens: nll(logits, tokens, 0)[1:],
    ],
    "one token back": lambda logits, tokens: nll(logits, tokens, -1),
    "sign missing": lambda logits, tokens: -nll(logits, tokens),
    "raw logits": lambda logits, tokens: -logits[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1).mean(0),
    "probability instead of loss": lambda logits, tokens: nll(
        logits, tokens, reduce=lambda x: (-x).exp().mean(0)
    ),
    "bits instead of nats": lambda logits, tokens: nll(logits, tokens) / 0.6931472,
    "mean over positions": lambda logits, tokens: nll(logits, tokens, reduce=lambda x: x.mean(1)),
    "summed over the batch": lambda logits, tokens: nll(logits, tokens, reduce=lambda x: x.sum(0)),
    "exp overflows": lambda logits, tokens: (
        -((p := logits.exp()[:, :-1]) / p.sum(-1, keepdim=True))
        .gather(2, tokens[:, 1:, None])[..., 0]
        .log()
        .mean(0)
    ),
    "squeeze removes too many axes": lambda logits, tokens: (
        -logits.log_softmax(-1)[:, :-1].gather(2, tokens[:, 1:, None]).squeeze().mean(0)
    ),
    "logarithm of the mean": lambda logits, tokens: nll(
        logits, tokens, reduce=lambda x: -(-x).exp().mean(0).log()
    ),
    "wrong shape": [
        lambda logits, tokens: nll(logits, tokens)[1:],
        lambda logits, tokens: torch.cat([torch.zeros(1), nll(logits, tokens)]),
    ],
}

# 4.3 ------------------------------------------------------------------------------------------------------------------


def looks_back(pattern, back, first):
    queries = range(first, pattern.shape[-1])
    return sum(pattern[:, i, i - back] for i in queries) / len(queries)


def stripes(pattern, period, back=None, first=None, first_with_previous=1):
    back, first = back or period - 1, first or period + 1
    return torch.stack((looks_back(pattern, 1, first_with_previous), looks_back(pattern, back, first)))


STRIPES = {
    "off by one: the duplicate token": lambda p, n: stripes(p, n, back=n),
    "off by one: two after the copy": lambda p, n: stripes(p, n, back=n - 2),
    "first copy counted": lambda p, n: stripes(p, n, first=n - 1),
    "last query of the first copy counted": lambda p, n: stripes(p, n, first=n),
    "divided by all queries": lambda p, n: stripes(p, n) * torch.tensor([[1.0], [n / p.shape[-1]]]),
    "index of the diagonal taken for the query": [
        lambda p, n: stripes(p, n, first=2 * n - 1),
        lambda p, n: stripes(p, n, first=2 * n),
    ],
    "first query counted": lambda p, n: stripes(p, n, first_with_previous=0),  # pattern[:, 0, -1] is 0
    "second query left out": lambda p, n: stripes(p, n, first_with_previous=2),
    "summed": lambda p, n: stripes(p, n) * torch.tensor([[1.0], [n]]),
    "squeeze removes a single head": lambda p, n: stripes(p, n).squeeze(),
    "wrong type": lambda p, n: tuple(stripes(p, n)),
    "scores swapped": lambda p, n: stripes(p, n)[[1, 0]],
    "heads first": lambda p, n: stripes(p, n).T,
    "one mean over all heads": lambda p, n: stripes(p, n).mean(1),
    "exception": lambda p, n: stripes(p[0], n),
}

# 4.4 ------------------------------------------------------------------------------------------------------------------

DUPLICATE = {
    "attention to a later position": [
        lambda p, n: p.diagonal(n, 1, 2)[:, 1:].mean(1),
        lambda p, n: looks_back(p.mT, n, n + 1),
    ],
    "last query left out": lambda p, n: looks_back(p[:, :-1, :-1], n, n),
    "divided by period + 1": lambda p, n: looks_back(p, n, n + 1) * n / (n + 1),
    "this is the induction score": lambda p, n: looks_back(p, n - 1, n + 1),
    "beginning-of-text counted": lambda p, n: looks_back(p, n, n),
    "off by one: before the copy": lambda p, n: looks_back(p, n + 1, n + 1),
    "one entry too few": lambda p, n: looks_back(p, n, n + 2),
    "index of the diagonal taken for the query": lambda p, n: p[:, -1, -1 - n],
    "the token itself": lambda p, n: looks_back(p, 0, 0),
    "summed": lambda p, n: looks_back(p, n, n + 1) * n,
    "divided by all queries": lambda p, n: looks_back(p, n, n + 1) * n / (2 * n + 1),
    "squeeze removes a single head": lambda p, n: looks_back(p, n, n + 1).squeeze(),
    "one mean over all heads": lambda p, n: looks_back(p, n, n + 1).mean(),
}

WRONG = {"4.1": REPEATED, "4.2": LOSS, "4.3": STRIPES, "4.4": DUPLICATE}

RIGHT = {
    "4.1": [
        repeated,
        lambda *sizes: repeated(*sizes, half=redrawn),
        lambda *sizes: repeated(*sizes, half=weighted).double(),
    ],
    "4.2": [
        nll,
        lambda logits, tokens: nn.functional.cross_entropy(
            logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none"
        ).mean(0),
        lambda logits, tokens: nll(logits, tokens, reduce=lambda x: torch.tensor(x.mean(0).tolist())),
        lambda logits, tokens: (
            logits.logsumexp(-1)[:, :-1] - logits.gather(2, tokens[:, 1:, None]).squeeze(-1)
        ).mean(0),
    ],
    "4.3": stripes,
    "4.4": [lambda p, n: looks_back(p, n, n + 1), lambda p, n: p.diagonal(-n, 1, 2)[:, -n:].mean(1)],
}
