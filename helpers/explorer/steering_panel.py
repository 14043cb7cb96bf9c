"""The steering panel: a direction is added while the model writes, and what that does besides is shown."""

from functools import cached_property, lru_cache
from html import escape

import ipywidgets as widgets
from IPython.display import HTML
from jaxtyping import Float, Int
from torch import Tensor

from helpers.explorer.panel import Panel, slider
from helpers.explorer.subject import Subject, token_of, tokens_of
from helpers.ioi import make_prompts
from helpers.steering import contrast_vector, generate, side_effects, steering_hook

GENERATED_TOKENS = 12  # tokens
CONTRAST, TOKEN = "difference of two kinds of text", "a word's direction in the unembedding"
MAX_TEXTS = 8  # texts of each kind
TEXTS = widgets.Layout(width="300px", height="90px")


class Steering(Panel):
    title = "steering"

    def make(self, subject):
        field = widgets.Textarea
        return dict(
            source=widgets.Dropdown(options=[CONTRAST, TOKEN], description="direction"),
            positive=field(
                "He was happy and\nIt was a good day and",
                description="from",
                layout=TEXTS,
                continuous_update=False,
            ),
            negative=field(
                "He was angry and\nIt was a bad day and",
                description="minus",
                layout=TEXTS,
                continuous_update=False,
            ),
            word=widgets.Text("garden", description="word", continuous_update=False),
            layer=slider("before layer", subject.model.cfg.n_layers - 1, subject.model.cfg.n_layers // 2),
            strength=widgets.FloatSlider(
                value=0.5, min=-3, max=3, step=0.1, description="strength", continuous_update=False
            ),
        )

    @cached_property
    def reference(self) -> Int[Tensor, "text pos"]:
        """Other text, on which side effects are measured."""
        return make_prompts(self.explorer.subject.model.tokenizer, 8).tokens

    def show(self, subject, strength, layer, **source):
        for name in ("positive", "negative", "word"):
            used = (name == "word") == (source["source"] == TOKEN)
            self.controls[name].layout.display = None if used else "none"
        direction, length = _direction_of(subject, layer, **source), _stream_length(subject, layer)
        hooks = [steering_hook(length * direction, layer, strength)]
        texts = [
            _plain_text(subject),
            generate(subject.model, subject.tokens, GENERATED_TOKENS, hooks)[0, 1:],
        ]
        effects = side_effects(subject.model, self.reference, hooks)
        rows = {
            "as it is": (texts[0], 0.0, effects["perplexity"], 0.0),
            "steered": (texts[1], abs(strength) * length, effects["perplexity, steered"], effects["KL"]),
        }
        return [HTML(_table(subject, rows, length))]

    def code(self, subject, strength, layer, source, positive, negative, word):
        found = f"contrast_vector(model, {_lines(positive)}, {_lines(negative)}, {layer})"
        if source == TOKEN:
            found = f"model.W_U[:, {token_of(subject.model, word)}] - model.W_U.mean(dim=1)"
        return f"""
from helpers.steering import contrast_vector, steering_hook, generate

direction = {found}
_, cache = model.run_with_cache(tokens)
length = cache["blocks.{layer}.hook_resid_pre"][0, 1:].norm(dim=-1).mean()
hooks = [steering_hook(length * direction / direction.norm(), {layer}, {strength:.1f})]
print(model.tokenizer.decode(generate(model, tokens, {GENERATED_TOKENS}, hooks)[0, 1:]))
"""


def _lines(text: str) -> list[str]:
    """The texts of a field, one a line."""
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not 1 <= len(found) <= MAX_TEXTS:
        raise ValueError(f"expected 1 to {MAX_TEXTS} texts of each kind, one a line, got {len(found)}.")
    return found


@lru_cache(maxsize=1)  # a slider moves often, and the rest stays
def _direction_of(
    subject: Subject, layer: int, source: str, positive: str, negative: str, word: str
) -> Float[Tensor, " d_model"]:
    """A direction of length 1."""
    if source == TOKEN:
        W_U = subject.model.W_U
        found = W_U[:, token_of(subject.model, word)] - W_U.mean(dim=1)
    else:
        kinds = [_lines(text) for text in (positive, negative)]
        for text in sum(kinds, []):
            tokens_of(subject.model, text)
        found = contrast_vector(subject.model, *kinds, layer)
    if found.norm() < 1e-6:
        raise ValueError("the two kinds of text leave no difference: write other texts.")
    return found / found.norm()


@lru_cache(maxsize=1)
def _plain_text(subject: Subject) -> Int[Tensor, " pos"]:
    """What the model writes as it is."""
    return generate(subject.model, subject.tokens, GENERATED_TOKENS)[0, 1:]


@lru_cache(maxsize=1)
def _stream_length(subject: Subject, layer: int) -> float:
    """Mean length of the stream before a layer, the first token aside."""
    name = f"blocks.{layer}.hook_resid_pre"
    _, cache = subject.model.run_with_cache(subject.tokens, names_filter=name)
    return cache[name][0, 1:].norm(dim=-1).mean().item()


def _table(subject: Subject, rows: dict[str, tuple], length: float) -> str:
    """What is written and what else changes, side by side, as HTML."""
    head = f"<tr><th></th><th style='text-align: left'>text</th><th>length added (the stream's: {length:.1f})</th><th>perplexity of eight puzzles of lesson 5</th><th>KL, nats a token</th></tr>"
    body = "".join(
        f"<tr><th>{name}</th><td style='text-align: left; max-width: 420px; white-space: pre-wrap'>{escape(subject.model.tokenizer.decode(text))}</td>"
        f"<td>{added:.1f}</td><td>{perplexity:.1f}</td><td>{kl_divergence:.2f}</td></tr>"
        for name, (text, added, perplexity, kl_divergence) in rows.items()
    )
    return f'<table class="tex2jax_ignore mathjax_ignore">{head}{body}</table>'
