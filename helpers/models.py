"""Models by name: ``load_model("attn-only-2l")`` for the shipped ones, the same call for public ones.

Shipped models lie in ``data/`` and need no network. Their weights are safetensors, checked by sha256; nothing is ever
unpickled.
"""

import contextlib
import difflib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import constants, errors, file_download, hf_hub_download
from huggingface_hub.utils import get_session
from safetensors.torch import load_file
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.supported_models import MODEL_ALIASES, OFFICIAL_MODEL_NAMES
from transformer_lens.utilities.tl_checkpoint_conversion import convert_tl_checkpoint
from transformers import AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils import logging

from helpers.shortformer import ShortformerModel, config, guarded, wrap

DATA = Path(__file__).parents[1] / "data"
REGISTRY = DATA / "models.json"


class ModelError(RuntimeError):
    """A model that can not be had, with the reason and the remedy in one sentence; notebooks show only that sentence."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


@dataclass(frozen=True)
class PublicModel:
    """A model on the Hugging Face hub: its repository there, the memory it takes, what to use it for."""

    repo: str
    layers: int
    heads: int
    d_model: int
    megabytes: int
    use: str


PUBLIC = {
    "gpt2-small": PublicModel("gpt2", 12, 12, 768, 548, "IOI as published; every lesson at full size"),
    "attn-only-2l-arena": PublicModel(
        "callummcdougall/attn_only_2L_half", 2, 12, 768, 184, "the two-layer model of the ARENA course"
    ),
}
HUB_TIMEOUT_SECONDS = 10
ARENA_FILE = "attn_only_2L_half.pth"
ARENA_SIZES = dict(n_layers=2, n_heads=12, d_model=768, d_head=64, n_ctx=2048, d_vocab=50278)
ARENA_TOKENIZER = "EleutherAI/gpt-neox-20b"


def shipped() -> dict[str, dict]:
    """The shipped models: name → ``sha256``, sizes, ``megabytes`` and ``use``."""
    return json.loads(REGISTRY.read_text())


def list_models() -> list[dict]:
    """One row a model: name, layers, heads, d_model, where it comes from, megabytes, what to use it for.

    >>> [row["name"] for row in list_models() if row["from"] == "shipped"][0]
    'attn-only-0l'
    """
    rows = [
        {"name": name, "layers": m["layers"], "heads": m["heads"], "d_model": m["d_model"], "from": "shipped",
         "megabytes": m["megabytes"], "use": m["use"]}
        for name, m in shipped().items()
    ]  # fmt: skip
    return rows + [
        {"name": name, "layers": m.layers, "heads": m.heads, "d_model": m.d_model, "from": "download",
         "megabytes": m.megabytes, "use": m.use}
        for name, m in PUBLIC.items()
    ]  # fmt: skip


def load_model(
    name: str = "attn-only-2l", device: str | None = None, checkpoint: int | None = None
) -> TransformerBridge:
    """The model as a ``TransformerBridge``, in evaluation mode and without gradients.

    ``name``: a shipped model, a public one of ``list_models()``, or any name TransformerLens knows on the Hugging Face
    hub. ``device``: by default the CPU: the course's models are small, and numbers are then alike everywhere. ``checkpoint``: for ``attn-only-2l``, a number
    of training tokens for which the weights are kept (``checkpoints("attn-only-2l")``). GPT-2 models come in
    compatibility mode (LayerNorm folded, weights centred). Raises ``ModelError``.

    >>> load_model("attn-only-1l").cfg.n_layers
    1
    """
    name = str(name)
    device = device or "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ModelError(
            f"there is no CUDA device here for device={device!r}: leave it out, and the model runs on the CPU."
        )
    if name in shipped():
        return load_shipped(DATA / name, device, checkpoint)
    if checkpoint is not None:
        raise ModelError(f"{name!r} has no checkpoints here: only attn-only-2l comes with some.")
    if (
        name not in PUBLIC
        and "/" not in name
        and name not in OFFICIAL_MODEL_NAMES + sum(MODEL_ALIASES.values(), [])
    ):
        known = [*shipped(), *PUBLIC, *OFFICIAL_MODEL_NAMES]
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.3) or list(shipped())
        raise ModelError(
            f"there is no model {name!r}. The nearest names: {', '.join(near)}; list_models() shows them all."
        )
    try:
        with _cached_when_silent():
            return _download_arena(device) if name == "attn-only-2l-arena" else _download(name, device)
    except Exception as error:
        raise ModelError(_explain(name, error)) from error


def checkpoints(name: str = "attn-only-2l") -> list[int]:
    """Numbers of training tokens at which a shipped model's weights were kept, besides those at the end."""
    return [int(tokens) for tokens in shipped().get(name, {}).get("checkpoints", {})]


def load_shipped(folder: Path, device: str = "cpu", checkpoint: int | None = None) -> TransformerBridge:
    """A model of ``data/``, refused when its weights are not the ones that its sha256 names."""
    entry = shipped()[folder.name]
    if checkpoint is not None and checkpoint not in checkpoints(folder.name):
        raise ModelError(
            f"{folder.name} has no checkpoint {checkpoint}; it has {checkpoints(folder.name) or 'none'}."
        )
    weights = folder / ("model.safetensors" if checkpoint is None else f"checkpoint-{checkpoint}.safetensors")
    expected = entry["sha256"] if checkpoint is None else entry["checkpoints"][str(checkpoint)]
    found = sha256(weights) if weights.exists() else "missing"
    if found != expected:
        raise ModelError(
            f"the weights of {folder.name} are {'missing' if found == 'missing' else 'damaged'}: expected sha256 "
            f"{expected[:12]}…, found {found[:12]}. Restore them with: git checkout -- data/{folder.name}"
        )
    sizes = json.loads((folder / "config.json").read_text())
    tokenizer = PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer")
    if "model_type" in sizes:  # in Hugging Face format
        logging.disable_progress_bar()  # over before it could be read
        try:
            return booted(str(folder), device, tokenizer=tokenizer)
        finally:
            logging.enable_progress_bar()
    bridge = wrap(ShortformerModel(config(**sizes)).to(device), tokenizer, folder.name)
    bridge.load_state_dict({key: weight.float() for key, weight in load_file(weights).items()})
    return bridge


@contextlib.contextmanager
def _cached_when_silent():
    """Ask the hub once; when it is silent, take what was downloaded before, without a minute of waiting for each file."""
    before = constants.HF_HUB_OFFLINE
    try:
        get_session().head(constants.ENDPOINT, timeout=HUB_TIMEOUT_SECONDS)
    except Exception:  # whatever keeps the hub from answering
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _download(name: str, device: str) -> TransformerBridge:
    """A public model through TransformerLens."""
    return booted(PUBLIC[name].repo if name in PUBLIC else name, device)


def booted(source: str, device: str, **given) -> TransformerBridge:
    """A model in Hugging Face format, from the hub or from a folder."""
    bridge = TransformerBridge.boot_transformers(source, device=device, **given)
    if bridge.cfg.architecture == "GPT2LMHeadModel":
        bridge.enable_compatibility_mode()
    return guarded(bridge.train(False).requires_grad_(False))


def _download_arena(device: str) -> TransformerBridge:
    """The ARENA course's two-layer model: an old TransformerLens checkpoint, read without unpickling code."""
    file = hf_hub_download(PUBLIC["attn-only-2l-arena"].repo, ARENA_FILE)
    state = torch.load(file, map_location="cpu", weights_only=True)
    tokenizer = AutoTokenizer.from_pretrained(ARENA_TOKENIZER)
    bridge = wrap(ShortformerModel(config(**ARENA_SIZES)).to(device), tokenizer, "attn-only-2l-arena")
    bridge.load_state_dict(
        {key: weight.float() for key, weight in convert_tl_checkpoint(state, bridge.cfg).items()}
    )
    return bridge


def sha256(file: Path) -> str:
    """Hexadecimal sha256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _explain(name: str, error: BaseException) -> str:
    """One sentence for why a public model did not load, and what to do."""
    instead = "The shipped attn-only-2l works without a network: load_model('attn-only-2l')."
    if _out_of_memory(error):
        needs = (
            f"about {2 * PUBLIC[name].megabytes} MB"
            if name in PUBLIC
            else "about twice the size of its weights"
        )
        return f"there is not enough memory for {name}: loading takes {needs} of free memory. {instead}"
    causes = tuple(_chain(error))
    text = " ".join(f"{type(e).__name__} {e}" for e in causes)
    if any(isinstance(e, errors.GatedRepoError) for e in causes):
        return (
            f"the Hugging Face hub gives {name!r} only to those who have accepted its terms: accept them on its page, log in "
            f"with `hf auth login`, and call again. {instead}"
        )
    if (
        any(isinstance(e, errors.RepositoryNotFoundError) for e in causes)
        or "is not a valid model identifier" in text
    ):
        return f"the Hugging Face hub has no public model {name!r}: check the name. {instead}"
    unanswered = errors.HfHubHTTPError | errors.LocalEntryNotFoundError | ConnectionError | TimeoutError
    words = ("Connect", "connect", "Timeout", "timed out", "offline", "name resolution")
    if any(isinstance(e, unanswered) for e in causes) or any(word in text for word in words):
        return (
            f"{name} could not be downloaded: the Hugging Face hub can not be reached or does not answer as it should "
            f"(no network? a login page?). What has arrived is kept: call again later. {instead}"
        )
    repo = PUBLIC[name].repo if name in PUBLIC else name
    folder = Path(constants.HF_HUB_CACHE) / file_download.repo_folder_name(repo_id=repo, repo_type="model")
    return (
        f"{name} could not be loaded ({type(error).__name__}: {str(error)[:200]}). If its files were damaged on the way, "
        f"delete {folder} and call again. {instead}"
    )


def _out_of_memory(error: BaseException) -> bool:
    """Whether Python or torch ran out of memory on the way."""
    return any(
        isinstance(e, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(e)
        for e in _chain(error)
    )


def _chain(error: BaseException | None):
    """An exception and everything that caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
