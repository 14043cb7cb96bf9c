"""Training of ``ioi-gpt2``: a small GPT-2 on books and on stories in which indirect object identification occurs."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from helpers.build.attn_only import batches
from helpers.shortformer import sinusoids
from helpers.stories import stories


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights, besides the corpus."""

    tokens: int
    n_layers: int = 6
    n_heads: int = 8
    d_model: int = 256
    d_mlp: int = 512
    n_ctx: int = 128
    d_vocab: int = 3072
    batch: int = 32
    lr: float = 2e-3
    weight_decay: float = 0.05
    warmup_steps: int = 200
    stories: float = 0.5  # share of the rows that are stories; the others are windows of books
    story_count: int = 150_000
    repeated: float = 0.5  # share of the book windows in which spans are copied
    spans: int = 2
    span_lengths: tuple[int, int] = (2, 40)
    position_directions: int = 32
    seed: int = 0

    @property
    def steps(self) -> int:
        return self.tokens // (self.batch * self.n_ctx)

    def config(self, bos: int) -> GPT2Config:
        return GPT2Config(
            vocab_size=self.d_vocab,
            n_positions=self.n_ctx,
            n_embd=self.d_model,
            n_layer=self.n_layers,
            n_head=self.n_heads,
            n_inner=self.d_mlp,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=bos,
            eos_token_id=bos,
        )


@torch.no_grad()
def initialise(recipe: Recipe, bos: int) -> GPT2LMHeadModel:
    """GPT-2's own initialisation, embeddings of length 1, positions sinusoids of the same length in random directions."""
    torch.manual_seed(recipe.seed)
    model = GPT2LMHeadModel(recipe.config(bos))
    model.transformer.wte.weight.normal_(0, recipe.d_model**-0.5)
    directions = torch.linalg.qr(torch.randn(recipe.d_model, recipe.position_directions)).Q.T
    model.transformer.wpe.weight.copy_(sinusoids(recipe.n_ctx, recipe.position_directions) @ directions)
    return model


def story_rows(tokenizer: PreTrainedTokenizerFast, recipe: Recipe) -> Iterator[Int[Tensor, " pos"]]:
    """Endless rows of stories, each story after a beginning-of-text token; a row begins where a story does."""
    texts = [tokenizer.bos_token + story for story in islice(stories(recipe.seed), recipe.story_count)]
    encodings = tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
    tokens = np.concatenate([np.array(encoding.ids, dtype=np.uint16) for encoding in encodings])
    starts = (tokens == tokenizer.bos_token_id).nonzero()[0]
    starts = starts[starts + recipe.n_ctx <= len(tokens)]
    rng = np.random.default_rng(recipe.seed)
    while True:
        for start in rng.permutation(starts):
            yield torch.from_numpy(tokens[start : start + recipe.n_ctx].astype(np.int64))


def rows(
    text: Int[Tensor, " token"], tokenizer: PreTrainedTokenizerFast, recipe: Recipe
) -> Iterator[Int[Tensor, "batch pos"]]:
    """Batches of books, with some of their rows replaced by stories."""
    told = story_rows(tokenizer, recipe)
    generator = torch.Generator().manual_seed(recipe.seed + 2)
    for batch in batches(text, recipe, tokenizer.bos_token_id):
        for index in (torch.rand(recipe.batch, generator=generator) < recipe.stories).nonzero():
            batch[index.item()] = next(told)
        yield batch
