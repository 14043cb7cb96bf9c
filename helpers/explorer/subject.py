"""The subject of the explorer: a model and a text; and words and texts that its fields hold."""

from dataclasses import dataclass
from functools import cached_property
from time import perf_counter

import torch
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.ioi import single_token

MAX_TOKENS = 40  # more do not fit on a screen


@dataclass(frozen=True)
class Subject:
    """A model, by its name and loaded, and a text."""

    name: str
    model: TransformerBridge
    prompt: str

    @cached_property
    def tokens(self) -> Int[Tensor, "1 pos"]:
        return tokens_of(self.model, self.prompt)

    @cached_property
    def words(self) -> list[str]:
        """The tokens of the prompt as text."""
        return [self.model.tokenizer.decode(token) for token in self.tokens[0]]

    @cached_property
    def operations(self) -> int:
        """Floating-point operations of one forward pass, about."""
        return 2 * self.tokens.numel() * sum(p.numel() for p in self.model.original_model.parameters())

    @cached_property
    @torch.no_grad()
    def seconds(self) -> float:
        """Seconds that a forward pass takes, one of four in a batch."""
        started = perf_counter()
        self.model(self.tokens.expand(4, -1))
        return (perf_counter() - started) / 4

    def code(self) -> str:
        """The lines that load the model and the text in a notebook."""
        return f"""from helpers.models import load_model

model = load_model({self.name!r})
tokens = model.to_tokens({self.prompt!r})
"""


def token_of(model: TransformerBridge, word: str) -> int:
    """The token of a word after a space."""
    if not word.strip():
        raise ValueError("expected a word, got none: type a word of one token, such as a name.")
    return single_token(model.tokenizer, word.strip())


def tokens_of(model: TransformerBridge, text: str, length: int | None = None) -> Int[Tensor, "1 pos"]:
    """The tokens of a text; ``ValueError`` if it is empty, too long or not of the given length."""
    if not text.strip():
        raise ValueError("expected a text, got none: type a few words.")
    tokens = model.to_tokens(text[: 50 * MAX_TOKENS + 1])
    more = "more than " if len(text) > 50 * MAX_TOKENS else ""
    if more or tokens.shape[1] > MAX_TOKENS:
        raise ValueError(
            f"expected a text of at most {MAX_TOKENS} tokens, got {more}{tokens.shape[1]}: shorten it."
        )
    if length is not None and tokens.shape[1] != length:
        raise ValueError(
            f"expected a second text as long as the first, {length} tokens, got {tokens.shape[1]}: "
            "change words, not the length."
        )
    return tokens
