"""Public models: their names on the Hugging Face hub, the download, and what to do when it fails.

Weights are safetensors or tensors alone: no code in a checkpoint is ever run.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import constants, errors, file_download, hf_hub_download
from huggingface_hub.utils import get_session
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.utilities.tl_checkpoint_conversion import convert_tl_checkpoint
from transformers import AutoTokenizer

from helpers.shortformer import ShortformerModel, config, guarded, wrap


class ModelError(RuntimeError):
    """Raised when a model cannot be loaded; the message says why and what to do.

    Notebooks show the message alone, without a traceback.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True)
class PublicModel:
    """A model on the Hugging Face hub."""

    repo: str
    layers: int
    heads: int
    d_model: int
    megabytes: int  # of the download
    use: str


ARENA = "attn-only-2l-arena"
PUBLIC = {
    "gpt2-small": PublicModel("gpt2", 12, 12, 768, 548, "IOI as published; every lesson at full size"),
    ARENA: PublicModel(
        "callummcdougall/attn_only_2L_half", 2, 12, 768, 184, "the two-layer model of the ARENA course"
    ),
}
ARENA_FILE = "attn_only_2L_half.pth"
ARENA_SIZES = dict(n_layers=2, n_heads=12, d_model=768, d_head=64, n_ctx=2048, d_vocab=50278)
ARENA_TOKENIZER = "EleutherAI/gpt-neox-20b"
HUB_TIMEOUT_SECONDS = 10
NETWORK_WORDS = ("Connect", "connect", "Timeout", "timed out", "offline", "name resolution")


def download(name: str, device: str) -> TransformerBridge:
    """Return a public model, from the hub or from what was downloaded before.

    ``name``: one of ``PUBLIC`` or any other that TransformerLens knows. Raises ``ModelError``.
    """
    try:
        with _offline_if_hub_is_silent():
            return _download_arena(device) if name == ARENA else boot(_repo(name), device)
    except Exception as error:
        instead = "The shipped attn-only-2l works without a network: load_model('attn-only-2l')."
        raise ModelError(f"{_reason(name, error)} {instead}") from error


def boot(source: str, device: str, tokenizer=None) -> TransformerBridge:
    """Return a model in Hugging Face format, from the hub or from a folder.

    GPT-2 models come in compatibility mode: LayerNorm folded, weights centred.
    """
    bridge = TransformerBridge.boot_transformers(source, device=device, tokenizer=tokenizer)
    if bridge.cfg.architecture == "GPT2LMHeadModel":
        bridge.enable_compatibility_mode()
    return guarded(bridge.train(False).requires_grad_(False))


@contextlib.contextmanager
def _offline_if_hub_is_silent() -> Iterator[None]:
    """Ask the hub once; if it is silent, use only earlier downloads, without a wait per file."""
    offline = constants.HF_HUB_OFFLINE
    try:
        get_session().head(constants.ENDPOINT, timeout=HUB_TIMEOUT_SECONDS)
    except Exception:  # of any kind: the hub does not answer
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline


def _download_arena(device: str) -> TransformerBridge:
    """Return the ARENA course's two-layer model, read from an old TransformerLens checkpoint."""
    file = hf_hub_download(PUBLIC[ARENA].repo, ARENA_FILE)
    state = torch.load(file, map_location="cpu", weights_only=True)
    tokenizer = AutoTokenizer.from_pretrained(ARENA_TOKENIZER)
    bridge = wrap(ShortformerModel(config(**ARENA_SIZES)).to(device), tokenizer, ARENA)
    weights = convert_tl_checkpoint(state, bridge.cfg)
    bridge.load_state_dict({key: weight.float() for key, weight in weights.items()})
    return bridge


def _repo(name: str) -> str:
    """Repository of a model on the hub."""
    return PUBLIC[name].repo if name in PUBLIC else name


def _reason(name: str, error: Exception) -> str:
    """Return why a public model did not load, and what to do."""
    causes = list(_chain(error))
    text = " ".join(f"{type(cause).__name__} {cause}" for cause in causes)

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if caused_by(MemoryError, torch.OutOfMemoryError) or "allocate memory" in text:
        needed = f"{2 * PUBLIC[name].megabytes} MB" if name in PUBLIC else "twice the size of its weights"
        return f"there is not enough memory for {name}: loading takes about {needed} of free memory."
    if caused_by(errors.GatedRepoError):
        return (
            f"the Hugging Face hub gives {name!r} only to those who have accepted its terms: "
            "accept them on its page, log in with `hf auth login`, and call again."
        )
    if caused_by(errors.RepositoryNotFoundError) or "is not a valid model identifier" in text:
        return f"the Hugging Face hub has no public model {name!r}: check the name."
    unanswered = (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, ConnectionError, TimeoutError)
    if caused_by(*unanswered) or any(word in text for word in NETWORK_WORDS):
        return (
            f"{name} could not be downloaded: the Hugging Face hub cannot be reached or does not answer "
            "as it should (no network? a login page?). Finished downloads are kept: call again later."
        )
    folder = file_download.repo_folder_name(repo_id=_repo(name), repo_type="model")
    return (
        f"{name} could not be loaded ({type(error).__name__}: {str(error)[:200]}). If its files were "
        f"damaged on the way, delete {Path(constants.HF_HUB_CACHE) / folder} and call again."
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and everything that caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
