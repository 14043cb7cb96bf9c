"""Recipe of the attention-only models: books, with spans repeated in half of the sequences.

The recipe is that of a small language model. Two choices matter for the circuits. Positions start
as sinusoids in a few directions, longer than the embeddings, so a head can distinguish a position
from its neighbour early on. And half of the sequences repeat some of their spans, short and long,
so attention to earlier copies lowers the loss. Both are in the model card.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int
from safetensors.torch import save_file
from torch import Tensor, nn
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerFast

from helpers.build.loop import Recipe
from helpers.build.model_facts import progress
from helpers.models import WEIGHTS_FILE
from helpers.shortformer import ShortformerModel, config, initialise, wrap


@dataclass(frozen=True, kw_only=True)
class AttentionOnlyRecipe(Recipe):
    """Recipe of a shortformer model without MLPs."""

    d_head: int = 64
    position_length: float = 2.0  # of a positional embedding / of a token embedding, at the start

    @property
    def sizes(self) -> dict[str, int]:
        names = ("n_layers", "n_heads", "d_model", "d_head", "n_ctx", "d_vocab")
        return {name: getattr(self, name) for name in names}

    def initial_model(self, bos: int) -> ShortformerModel:
        model = ShortformerModel(config(**self.sizes))
        initialise(model, self.seed, self.position_directions, self.position_length)
        return model

    def batches(
        self, text: Int[Tensor, " token"], tokenizer: PreTrainedTokenizerFast
    ) -> Iterator[Int[Tensor, "batch pos"]]:
        return book_batches(text, self, tokenizer.bos_token_id)

    def save(self, model: nn.Module, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps(self.sizes, indent=2) + "\n", encoding="utf-8")
        copy = deepcopy(model).half().cpu()  # half() changes the model itself
        save_file(wrap(copy, None, folder.name).state_dict(), folder / WEIGHTS_FILE)

    def measure(self, model: TransformerBridge, held_out: Int[Tensor, "window pos"]) -> dict:
        return progress(model, held_out)


def book_batches(text: Int[Tensor, " token"], recipe: Recipe, bos: int) -> Iterator[Int[Tensor, "batch pos"]]:
    """Yield batches of windows of the text, without end; in a fraction of them spans are copied.

    Each window follows a beginning-of-text token. Spans are copied to later positions. Their
    lengths are log-uniform, so short spans are as common as long ones.
    """
    generator = torch.Generator().manual_seed(recipe.seed + 1)
    shortest, longest = recipe.span_lengths

    def random(low: int, high: int, size=(1,)) -> Tensor:
        return torch.randint(low, high, size, generator=generator)

    while True:
        starts = random(0, len(text) - recipe.n_ctx, (recipe.batch, 1))
        windows = text[starts + torch.arange(recipe.n_ctx - 1)].long()
        windows = nn.functional.pad(windows, (1, 0), value=bos)
        for index in (torch.rand(recipe.batch, generator=generator) < recipe.repeated).nonzero():
            window = windows[index.item()]
            for exponent in torch.rand(recipe.spans, generator=generator).tolist():
                length = round(shortest * (longest / shortest) ** exponent)
                source = random(1, recipe.n_ctx - 2 * length + 1).item()
                target = random(source + length, recipe.n_ctx - length + 1).item()
                window[target : target + length] = window[source : source + length].clone()
        yield windows
