"""Next-token predictions at one position, before and after heads are ablated."""

from collections.abc import Sequence
from functools import lru_cache
from html import escape

import torch
from einops import einsum
from IPython.display import HTML
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import Head, Hook
from helpers.forward import Forward
from helpers.hooks import replace_z_hooks
from helpers.page_data import VERBATIM_CLASSES
from helpers.theme import BLUE, ORANGE

CANDIDATES = 5
BAR = 100  # pixels of a probability of 1
MOST_NAMED = 6  # ablated heads that a title names


def show_predictions(
    model: TransformerBridge, tokens: Int[Tensor, "1 pos"], position: int, ablated: Sequence[tuple[int, int]]
) -> list[HTML]:
    """The likeliest next tokens after ``position``, with all heads and without ``ablated``."""
    series = {"all heads": next_logits(model, tokens, position)}
    if ablated:
        series[without(ablated)] = next_logits(model, tokens, position, tuple(ablated))
    word = model.tokenizer.decode(tokens[0, position])
    return [prediction_bars(model, series, f"next token after “{word}”, position {position}")]


def without(heads: Sequence[tuple[int, int]]) -> str:
    """HTML that names the ablated heads, or counts many and names them to the pointer.

    >>> without([(0, 1), (2, 3)])
    'without 0.1, 2.3'
    """
    names = ", ".join(str(Head(*head)) for head in heads)
    many = f'<span title="{names}">without {len(heads)} heads</span>'
    return f"without {names}" if len(heads) <= MOST_NAMED else many


def visible(text: str) -> str:
    """Mark newlines, and the spaces of a token that has nothing else.

    >>> visible("  "), visible(" a")
    ('␣␣', ' a')
    """
    text = text.replace("\n", "⏎")
    return text if text.strip() else text.replace(" ", "␣")


def two_decimals(value: float) -> str:
    """A probability or a factor.

    >>> two_decimals(0.001), two_decimals(0.25)
    ('<0.01', '0.25')
    """
    return "<0.01" if value < 0.005 else f"{value:.2f}"


def ablation_hooks(model: TransformerBridge, heads: Sequence[tuple[int, int]]) -> list[Hook]:
    """Hooks that set the z of each head to zero, at all positions."""
    zeros = torch.zeros(1, 1, model.cfg.n_heads, model.cfg.d_head, device=model.W_E.device)
    return replace_z_hooks(heads, [zeros] * model.cfg.n_layers)


def next_logits(
    model: TransformerBridge,
    tokens: Int[Tensor, "1 pos"],
    position: int,
    ablated: tuple[tuple[int, int], ...] = (),
) -> Float[Tensor, " d_vocab"]:
    """Logits of the token after ``position``, without the heads of ``ablated``."""
    return _logits(model, tokens, ablated)[position]


@lru_cache(maxsize=2)
@torch.no_grad()
def _logits(
    model: TransformerBridge, tokens: Int[Tensor, "1 pos"], ablated: tuple[tuple[int, int], ...]
) -> Float[Tensor, "pos d_vocab"]:
    with model.hooks(fwd_hooks=ablation_hooks(model, ablated)):
        return model(tokens)[0]


@lru_cache(maxsize=2)
@torch.no_grad()
def head_effects(
    model: TransformerBridge, tokens: Int[Tensor, "1 pos"], position: int
) -> Float[Tensor, "layer head"]:
    """How far the log-probability of the likeliest next token falls when one head is ablated."""
    forward = Forward(model)
    run = forward.run(tokens[:, : position + 1])
    log_probs = next_logits(model, tokens, position).log_softmax(dim=-1)
    best = log_probs.argmax()

    def minus_each_head(step):
        layer, stage = step
        if stage == "resid_pre":
            return None
        out = "prompt pos head d_head, head d_head d_model -> head prompt pos d_model"
        return -einsum(run.z[layer], forward.W_O[layer], out)

    without = forward.sweep(
        run, minus_each_head, 0, lambda logits: logits.log_softmax(dim=-1).gather(1, best[None, None])[:, 0]
    )
    return log_probs[best] - without.view(model.cfg.n_layers, model.cfg.n_heads)


def prediction_bars(
    model: TransformerBridge, series: dict[str, Float[Tensor, " d_vocab"]], title: str
) -> HTML:
    """Probabilities of the likeliest tokens of the first series, and of the best of the others.

    The names of the series are HTML.
    """
    probabilities = [logits.softmax(dim=-1) for logits in series.values()]
    shown = probabilities[0].topk(CANDIDATES).indices.tolist()
    shown += [token for p in probabilities[1:] if (token := int(p.argmax())) not in shown]
    left = "style='text-align: left; font-weight: normal; padding-right: 1em; white-space: pre-wrap'"
    head = "".join(f"<th {left} scope='col'>{name}</th>" for name in ("token", *series))
    rows = [
        f"<tr><th {left} scope='row'>{escape(visible(model.tokenizer.decode(token)))}</th>"
        + "".join(_bar(p[token].item(), colour) for p, colour in zip(probabilities, (BLUE, ORANGE)))
        + "</tr>"
        for token in shown
    ]
    caption = f"<caption style='text-align: left; white-space: pre-wrap'>{escape(visible(title))}</caption>"
    return HTML(
        f'<table class="{VERBATIM_CLASSES}" style="min-width: 330px">{caption}<tr>{head}</tr>{"".join(rows)}</table>'
    )


def _bar(probability: float, colour: str) -> str:
    """A cell with a bar and its number."""
    style = f"display: inline-block; height: 0.7em; width: {BAR * probability:.0f}px; background: {colour}"
    return (
        f"<td style='text-align: left; min-width: {BAR + 45}px'>"
        f"<span style='{style}'></span> {escape(two_decimals(probability))}</td>"
    )
