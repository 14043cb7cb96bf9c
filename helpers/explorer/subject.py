"""What the explorer looks at: a model, a text, a second text to take things from, and two answers to compare."""

from dataclasses import dataclass
from functools import cached_property
from html import escape

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.ioi import single_token
from helpers.line import read_line
from helpers.line_view import Line

MAX_TOKENS = 40  # more do not fit into one line on a screen


@dataclass(frozen=True)
class Subject:
    """The explorer's fields, taken over; what is derived from them is computed when it is first asked for."""

    name: str
    model: TransformerBridge
    prompt: str
    other: str
    right: str
    wrong: str

    @cached_property
    def tokens(self) -> Int[Tensor, "1 pos"]:
        return tokens_of(self.model, self.prompt)

    @cached_property
    def other_tokens(self) -> Int[Tensor, "1 pos"]:
        tokens, length = tokens_of(self.model, self.other), self.tokens.shape[1]
        if tokens.shape[1] != length:
            raise ValueError(
                f"expected a second text as long as the first, {length} tokens, got {tokens.shape[1]}: change words, not the length."
            )
        return tokens

    @cached_property
    def right_token(self) -> int:
        return token_of(self.model, self.right)

    @cached_property
    def wrong_token(self) -> int:
        return token_of(self.model, self.wrong)

    def faults(self) -> dict[str, ValueError]:
        """What cannot be used, by field."""
        needed = dict(right="right_token", wrong="wrong_token", prompt="tokens", other="other_tokens")
        found = {}
        for field, name in needed.items():
            try:
                getattr(self, name)
            except ValueError as error:
                found[field] = error
                if field == "prompt":  # with which the second text is compared
                    break
        return found

    @cached_property
    def line(self) -> Line:
        return read_line(self.model, self.tokens, self.prompt)

    @torch.no_grad()
    def logits(self, hooks=()) -> Float[Tensor, " d_vocab"]:
        """What the model says comes next, under hooks if there are any."""
        with self.model.hooks(fwd_hooks=list(hooks)):
            return self.model(self.tokens)[0, -1]

    def logit_diff(self, logits: Float[Tensor, "*row d_vocab"]) -> Float[Tensor, "*row"]:
        return logits[..., self.right_token] - logits[..., self.wrong_token]

    def said(self, logits: Float[Tensor, " d_vocab"]) -> str:
        """The five likeliest tokens with their probabilities, and the logit difference of the two answers, as HTML."""
        best = logits.softmax(dim=-1).topk(5)
        words = [
            f"<code>{escape(self.model.tokenizer.decode(token))}</code> {share:.2f}"
            for token, share in zip(best.indices, best.values.tolist())
        ]
        answers = f"{escape(self.right.strip())} over {escape(self.wrong.strip())}"
        return (
            f'<span class="tex2jax_ignore mathjax_ignore">{" · ".join(words)} &emsp; logit of {answers}: '
            f"<b>{self.logit_diff(logits):+.2f}</b></span>"
        )

    def code(self) -> str:
        """The first lines of every view's code: the model and the text."""
        return f"""from helpers.models import load_model

model = load_model({self.name!r})
tokens = model.to_tokens({self.prompt!r})
"""


def token_of(model: TransformerBridge, word: str) -> int:
    """The token of a word after a space."""
    if not word.strip():
        raise ValueError("the word is empty: type one that is one token, such as a name of the text.")
    return single_token(model.tokenizer, word.strip())


def tokens_of(model: TransformerBridge, text: str) -> Int[Tensor, "1 pos"]:
    """A text's tokens, if there are some and not too many."""
    if not text.strip():
        raise ValueError("the text is empty: type a few words.")
    if len(text) <= 50 * MAX_TOKENS:
        tokens = model.to_tokens(text)
        if tokens.shape[1] <= MAX_TOKENS:
            return tokens
    raise ValueError(f"the text is longer than the {MAX_TOKENS} tokens that the explorer takes: shorten it.")
