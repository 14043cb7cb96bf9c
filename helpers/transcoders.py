"""Transcoders: an MLP replaced by sparse features.

A transcoder reads what the MLP reads and is trained to return what the MLP returns, through few
active features (Dunefsky et al. 2024, https://arxiv.org/abs/2406.11944). TopK keeps the k largest
activations (Gao et al. 2024, https://arxiv.org/abs/2406.04093).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from safetensors.torch import load_file
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.hub import ModelError
from helpers.models import DATA, sha256, shipped
from helpers.run import Tokens

TRANSCODER_FILE = "transcoder.safetensors"


def transcode(
    x: Float[Tensor, "pos d_model"],
    W_enc: Float[Tensor, "d_model feature"],
    b_enc: Float[Tensor, " feature"],
    W_dec: Float[Tensor, "feature d_model"],
    b_dec: Float[Tensor, " d_model"],
    k: int,
) -> tuple[Float[Tensor, "pos feature"], Float[Tensor, "pos d_model"]]:
    """Features of a TopK transcoder at every position, and its output.

    features = TopK_k(ReLU(x W_enc + b_enc)),  output = features W_dec + b_dec . TopK keeps the k
    largest numbers of each row and sets the others to 0. Gao et al. 2024, section 2.3.

    >>> I, zero = torch.eye(3), torch.zeros(3)
    >>> transcode(torch.tensor([[3.0, -1.0, 2.0]]), I, zero, I, zero, k=1)[0]
    tensor([[3., 0., 0.]])
    """
    activations = (x @ W_enc + b_enc).relu()
    largest = activations.topk(k, dim=-1)
    features = torch.zeros_like(activations).scatter(-1, largest.indices, largest.values)
    return features, features @ W_dec + b_dec


@dataclass(frozen=True)
class Transcoder:
    """A TopK transcoder of one MLP, called with what the MLP reads: features, and its output.

    >>> transcoder = load_transcoder()
    >>> features, output = transcoder(torch.zeros(2, 5, 256))
    >>> features.shape[:2], output.shape
    (torch.Size([2, 5]), torch.Size([2, 5, 256]))
    """

    layer: int
    k: int
    W_enc: Float[Tensor, "d_model feature"]
    b_enc: Float[Tensor, " feature"]
    W_dec: Float[Tensor, "feature d_model"]
    b_dec: Float[Tensor, " d_model"]

    def __call__(self, x: Float[Tensor, "*pos d_model"]) -> tuple[Tensor, Tensor]:
        features, output = transcode(x.flatten(0, -2), self.W_enc, self.b_enc, self.W_dec, self.b_dec, self.k)
        return features.view(*x.shape[:-1], -1), output.view(x.shape)


def load_transcoder(name: str = "ioi-gpt2", device: str = "cpu") -> Transcoder:
    """Return the transcoder that ships with a model; raise ``ModelError`` if there is none.

    >>> load_transcoder().layer
    0
    """
    expected = shipped().get(name, {}).get("transcoder")
    if expected is None:
        with_transcoder = [model for model, entry in shipped().items() if "transcoder" in entry]
        raise ModelError(f"expected a model with a transcoder ({', '.join(with_transcoder)}), got {name!r}.")
    file = DATA / name / TRANSCODER_FILE
    if not file.exists() or sha256(file) != expected:
        raise ModelError(
            f"the transcoder of {name} is missing or damaged. Restore it with `git checkout -- data/{name}`."
        )
    tensors = load_file(file, device=device)
    weights = {key: tensors[key].float() for key in ("W_enc", "b_enc", "W_dec", "b_dec")}
    return Transcoder(int(tensors["layer"]), int(tensors["k"]), **weights)


@torch.no_grad()
def mlp_in_and_out(
    model: TransformerBridge, tokens: Tokens, layer: int
) -> tuple[Float[Tensor, "prompt pos d_model"], Float[Tensor, "prompt pos d_model"]]:
    """Return what a layer's MLP reads, after the norm, and what it writes.

    >>> from helpers.models import load_model
    >>> model = load_model("ioi-gpt2")
    >>> [list(side.shape) for side in mlp_in_and_out(model, model.to_tokens("a cat"), 0)]
    [[1, 3, 256], [1, 3, 256]]
    """
    names = [f"blocks.{layer}.ln2.hook_normalized", f"blocks.{layer}.hook_mlp_out"]
    _, cache = model.run_with_cache(tokens, names_filter=names, stop_at_layer=layer + 1)
    return cache[names[0]], cache[names[1]]


def variance_explained(
    target: Float[Tensor, "*pos d_model"], output: Float[Tensor, "*pos d_model"]
) -> Float[Tensor, ""]:
    """Fraction of the variance of ``target`` that ``output`` explains.

    1 − Σ |target − output|² / Σ |target − mean|² : 0 for the mean over positions.

    >>> variance_explained(torch.tensor([[0.0], [4.0]]), torch.tensor([[1.0], [4.0]]))
    tensor(0.8750)
    """
    target, output = target.flatten(0, -2), output.flatten(0, -2)
    return 1 - (target - output).square().sum() / (target - target.mean(dim=0)).square().sum()


def live_features(features: Float[Tensor, "*pos feature"]) -> Bool[Tensor, " feature"]:
    """Return True for the features that are active at one position or more.

    >>> live_features(torch.tensor([[0.0, 2.0], [0.0, 0.0]]))
    tensor([False,  True])
    """
    return (features.flatten(0, -2) > 0).any(dim=0)


@torch.no_grad()
def loss_recovered(
    model: TransformerBridge, tokens: Tokens, layer: int, output: Float[Tensor, "prompt pos d_model"]
) -> float:
    """Fraction of the loss that ``output`` recovers in place of a layer's MLP.

    (L_mean − L_output) / (L_mean − L_model) , where L_mean is the loss with the MLP's mean output
    at every position.

    >>> from helpers.models import load_model
    >>> model = load_model("ioi-gpt2")
    >>> tokens = model.to_tokens("the cat sat")
    >>> round(loss_recovered(model, tokens, 0, mlp_in_and_out(model, tokens, 0)[1]), 3)
    1.0
    """
    name, mlp_out = f"blocks.{layer}.hook_mlp_out", mlp_in_and_out(model, tokens, layer)[1]

    def loss(replacement: Tensor) -> float:
        hook = (name, lambda _, hook: replacement)
        return model.run_with_hooks(tokens, fwd_hooks=[hook], return_type="loss").item()

    nothing = loss(mlp_out.mean(dim=(0, 1)).expand_as(mlp_out))
    return (nothing - loss(output)) / (nothing - loss(mlp_out))
