"""The subject of the explorer: a model, a text, a second text to patch from, and two answers."""

from dataclasses import dataclass
from functools import cached_property
from html import escape

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.ioi import single_token
from helpers.page_data import VERBATIM_CLASSES

MAX_TOKENS = 40  # more do not fit into one line on a screen


@dataclass(frozen=True)
class Subject:
    """The fields of the explorer. ``name`` is the model's, ``source`` the second text."""

    name: str
    model: TransformerBridge
    prompt: str
    source: str
    right: str
    wrong: str

    @cached_property
    def tokens(self) -> Int[Tensor, "1 pos"]:
        return tokens_of(self.model, self.prompt)

    @cached_property
    def words(self) -> list[str]:
        """The tokens of the prompt as text."""
        return [self.model.tokenizer.decode(token) for token in self.tokens[0]]

    @cached_property
    @torch.no_grad()
    def logits(self) -> Float[Tensor, " d_vocab"]:
        """Logits of the next token, without an intervention."""
        return self.model(self.tokens)[0, -1]

    def faults(self) -> dict[str, ValueError]:
        """The error of each field that cannot be used."""
        checks = {
            "right": lambda: token_of(self.model, self.right),
            "wrong": lambda: token_of(self.model, self.wrong),
            "prompt": lambda: self.tokens,
            "source": lambda: tokens_of(self.model, self.source, length=self.tokens.shape[1]),
        }
        errors = {}
        for field, check in checks.items():
            if field == "source" and "prompt" in errors:  # there is no length to compare with
                break
            try:
                check()
            except ValueError as error:
                errors[field] = error
        return errors

    def code(self) -> str:
        """The lines that load the model and the text in a notebook."""
        return f"""from helpers.models import load_model

model = load_model({self.name!r})
tokens = model.to_tokens({self.prompt!r})
"""


def prediction(model: TransformerBridge, logits: Float[Tensor, " d_vocab"], right: str, wrong: str) -> str:
    """The five likeliest tokens with their probabilities, and the logit difference, as HTML."""
    top = logits.softmax(dim=-1).topk(5)
    tokens = [
        f"<code>{escape(model.tokenizer.decode(token))}</code> {probability:.2f}"
        for token, probability in zip(top.indices, top.values.tolist())
    ]
    difference = logit_diff(model, logits, right, wrong)
    return (
        f'<span class="{VERBATIM_CLASSES}">{" · ".join(tokens)} &emsp; logit of {escape(right.strip())} '
        f"over {escape(wrong.strip())}: <b>{difference:+.2f}</b></span>"
    )


def logit_diff(
    model: TransformerBridge, logits: Float[Tensor, "*batch d_vocab"], right: str, wrong: str
) -> Float[Tensor, "*batch"]:
    """Logit of the right answer minus logit of the wrong answer."""
    return logits[..., token_of(model, right)] - logits[..., token_of(model, wrong)]


def token_of(model: TransformerBridge, word: str) -> int:
    """The token of a word after a space."""
    if not word.strip():
        raise ValueError("expected a word, got an empty field: type a word of one token, such as a name.")
    return single_token(model.tokenizer, word.strip())


def tokens_of(model: TransformerBridge, text: str, length: int | None = None) -> Int[Tensor, "1 pos"]:
    """The tokens of a text; ``ValueError`` if it is empty, too long or not of the given length."""
    if not text.strip():
        raise ValueError("expected a text, got an empty field: type a few words.")
    tokens = model.to_tokens(text[: 50 * MAX_TOKENS + 1])
    if len(text) > 50 * MAX_TOKENS or tokens.shape[1] > MAX_TOKENS:
        raise ValueError(f"expected a text of at most {MAX_TOKENS} tokens, got a longer one: shorten it.")
    if length is not None and tokens.shape[1] != length:
        raise ValueError(
            f"expected a second text as long as the first, {length} tokens, got {tokens.shape[1]}: "
            "change words, not the length."
        )
    return tokens
