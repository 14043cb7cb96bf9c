"""Recipe of ``ioi-gpt2``: a small GPT-2 on books and on stories in which names are repeated.

The stories make indirect object identification (Wang et al. 2022) worth learning.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn
from transformer_lens.model_bridge import TransformerBridge
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from helpers.build.attn_only import book_batches
from helpers.build.loop import Recipe
from helpers.build.model_facts import ioi_progress
from helpers.shortformer import sinusoids
from helpers.stories import stories

HELD_OUT_STORIES = dict(seed=1_000_000, story_count=300)
HELD_OUT_ROWS = 64


@dataclass(frozen=True, kw_only=True)
class GPT2Recipe(Recipe):
    """Recipe of a GPT-2 that reads windows of books and rows of stories."""

    d_mlp: int
    stories: float = 0.5  # fraction of the rows that are stories
    story_count: int = 150_000

    @torch.no_grad()
    def initial_model(self, bos: int) -> GPT2LMHeadModel:
        """Return GPT-2's own initial weights, but other embeddings.

        Token embeddings have length 1. Positions are sinusoids of the same length in random
        directions.
        """
        torch.manual_seed(self.seed)
        model = GPT2LMHeadModel(self._config(bos))
        model.transformer.wte.weight.normal_(0, self.d_model**-0.5)
        directions = torch.linalg.qr(torch.randn(self.d_model, self.position_directions)).Q.T
        model.transformer.wpe.weight.copy_(sinusoids(self.n_ctx, self.position_directions) @ directions)
        return model

    def _config(self, bos: int) -> GPT2Config:
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

    def batches(
        self, text: Int[Tensor, " token"], tokenizer: PreTrainedTokenizerFast
    ) -> Iterator[Int[Tensor, "batch pos"]]:
        """Yield windows of books, with a fraction of them replaced by rows of stories."""
        rows = story_rows(tokenizer, self.n_ctx, self.seed, self.story_count)
        generator = torch.Generator().manual_seed(self.seed + 2)
        for batch in book_batches(text, self, tokenizer.bos_token_id):
            for index in (torch.rand(self.batch, generator=generator) < self.stories).nonzero():
                batch[index.item()] = next(rows)
            yield batch

    def save(self, model: nn.Module, folder: Path) -> None:
        deepcopy(model).half().save_pretrained(folder)

    def measure(self, model: TransformerBridge, held_out: Int[Tensor, "window pos"]) -> dict:
        rows = story_rows(model.tokenizer, held_out.shape[1], **HELD_OUT_STORIES)
        return ioi_progress(model, held_out, torch.stack(list(islice(rows, HELD_OUT_ROWS))))


def story_rows(
    tokenizer: PreTrainedTokenizerFast, n_ctx: int, seed: int, story_count: int
) -> Iterator[Int[Tensor, " pos"]]:
    """Yield rows of stories without end, each story after a beginning-of-text token.

    A row begins where a story does.
    """
    texts = [tokenizer.bos_token + story for story in islice(stories(seed), story_count)]
    encoded = tokenizer(texts, add_special_tokens=False, padding=False, return_attention_mask=False)
    tokens = np.concatenate([np.array(ids, dtype=np.uint16) for ids in encoded["input_ids"]])
    starts = (tokens == tokenizer.bos_token_id).nonzero()[0]
    starts = starts[starts + n_ctx <= len(tokens)]
    rng = np.random.default_rng(seed)
    while True:
        for start in rng.permutation(starts):
            yield torch.from_numpy(tokens[start : start + n_ctx].astype(np.int64))
