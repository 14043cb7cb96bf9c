"""Models by name: ``load_model("attn-only-2l")`` for shipped models, the same call for public ones.

Shipped models are in ``data/`` and need no network. Their weights are safetensors, checked by
sha256; nothing is ever unpickled.
"""

import difflib
import hashlib
import json
from itertools import chain
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.supported_models import MODEL_ALIASES, OFFICIAL_MODEL_NAMES
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging

from helpers import smollm2
from helpers.hub import PUBLIC, ModelError, boot, download
from helpers.shortformer import ShortformerModel, config, wrap

DATA = Path(__file__).parents[1] / "data"
REGISTRY = DATA / "models.json"
WEIGHTS_FILE = "model.safetensors"


def load_model(
    name: str | None = "attn-only-2l",
    device: str | torch.device | int | None = None,
    checkpoint: int | None = None,
    tokenizer: str | None = None,
    source: str | None = None,
) -> TransformerBridge:
    """Return a model as a ``TransformerBridge``, in evaluation mode and without gradients.

    ``name``: a shipped model, a public one of ``list_models()``, OWNER/REPO or another name that
    TransformerLens knows on the Hugging Face hub, or a folder. ``device``: the CPU unless given,
    because the course's models are small and numbers then agree everywhere. ``checkpoint``: a
    number of training tokens at which weights were kept (``checkpoints("attn-only-2l")``).
    ``tokenizer``: the model whose tokenizer is used, for a model that comes without. ``source``:
    "hub" for the full-precision weights of smollm2-135m, which otherwise come from a Python
    package, rounded to 4 bits. Models with LayerNorm or RMSNorm come in compatibility mode (the
    norm folded, weights centred). A model that was downloaded once is loaded without a request.
    Raises ``ModelError``.

    >>> load_model("attn-only-1l").cfg.n_layers
    1
    """
    name, device = str(name), _device("cpu" if device is None else device)
    if tokenizer is not None and name in {*shipped(), *PUBLIC}:
        raise ModelError(f"expected no tokenizer for {name}, which has its own: leave tokenizer out.")
    if checkpoint is not None and checkpoint not in checkpoints(name):
        remedy = f"choose one of {checkpoints(name)}" if checkpoints(name) else "leave checkpoint out"
        raise ModelError(f"{name} has no checkpoint {checkpoint}: {remedy}.")
    if source not in (None, "hub") or (source and name != smollm2.NAME):
        raise ModelError(
            f'expected source="hub" for {smollm2.NAME}, got {source!r} for {name}: leave it out.'
        )
    if name in shipped():
        return _load_shipped(name, device, checkpoint)
    if name == smollm2.NAME and source is None:
        return _boot_folder(smollm2.folder(), device)
    if not _may_be_on_hub(name):
        names = [*shipped(), *PUBLIC, *OFFICIAL_MODEL_NAMES]
        nearest = difflib.get_close_matches(name, names, n=3, cutoff=0.3) or list(shipped())
        raise ModelError(
            f"there is no model {name!r}. The nearest names: {', '.join(nearest)}; "
            "list_models() returns the models of the course."
        )
    return download(name, device, tokenizer)


def list_models() -> list[dict]:
    """Return a row per model: name, sizes, origin ("from"), megabytes, licence, weights, use.

    >>> [row["name"] for row in list_models() if row["from"] == "shipped"][0]
    'attn-only-0l'
    """
    own = {"licence": "MIT", "weights": "half precision"}
    entries = [(name, "shipped", entry | own) for name, entry in shipped().items()]
    entries += [(name, "download", vars(model)) for name, model in PUBLIC.items()]
    columns = ("megabytes", "licence", "weights", "use")
    return [
        {"name": name, **{size: entry[size] for size in ("layers", "heads", "d_model")}, "from": origin}
        | {key: entry[key] for key in columns}
        for name, origin, entry in entries
    ]


def checkpoints(name: str = "attn-only-2l") -> list[int]:
    """Numbers of training tokens at which a model's weights were kept, besides those at the end.

    >>> checkpoints("attn-only-2l")
    [4001792, 5001216, 6000640]
    """
    return [int(tokens) for tokens in shipped().get(name, {}).get("checkpoints", {})]


def shipped() -> dict[str, dict]:
    """Return the shipped models: name → ``sha256``, sizes, ``megabytes`` and ``use``.

    >>> shipped()["attn-only-2l"]["layers"]
    2
    """
    return json.loads(REGISTRY.read_text(encoding="utf-8"))


def _device(device: str | torch.device | int) -> str:
    """Return the name of a device of this machine; raise ``ModelError`` for any other."""
    count = torch.accelerator.device_count()
    kind = torch.accelerator.current_accelerator().type if count else ""
    devices = [torch.device("cpu", 0), *(torch.device(kind, index) for index in range(count))]
    try:
        wanted = torch.device(device)
    except (RuntimeError, TypeError, ValueError):  # no device of any machine
        wanted = torch.device("meta")
    if torch.device(wanted.type, wanted.index or 0) not in devices:
        names = ["cpu", *(f"{kind}:{index}" for index in range(count))]
        raise ModelError(
            f"expected a device of this machine ({', '.join(names)}), got {device!r}: "
            "leave device out to use the CPU."
        )
    return str(wanted)


def _may_be_on_hub(name: str) -> bool:
    """Return whether a name is public, known to TransformerLens, OWNER/REPO, or a folder."""
    aliases = chain.from_iterable(MODEL_ALIASES.values())
    known = {*PUBLIC, *OFFICIAL_MODEL_NAMES, *aliases}
    return "/" in name or name in known or (Path(name) / "config.json").is_file()


def _load_shipped(name: str, device: str, checkpoint: int | None) -> TransformerBridge:
    """Return a model of ``data/``; raise ``ModelError`` if its weights have another sha256."""
    entry, weights_file, expected = shipped()[name], WEIGHTS_FILE, shipped()[name]["sha256"]
    if checkpoint is not None:
        weights_file = f"checkpoint-{checkpoint}.safetensors"
        expected = entry["checkpoints"][str(checkpoint)]
    file = DATA / name / weights_file
    actual = sha256(file) if file.exists() else None
    if actual != expected:
        state = f"damaged: expected sha256 {expected[:12]}…, got {actual[:12]}" if actual else "missing"
        raise ModelError(
            f"the weights of {name} are {state}. Restore them with `git checkout -- data/{name}`."
        )
    return read_model(DATA / name, weights_file, device)


def read_model(folder: Path, weights_file: str = WEIGHTS_FILE, device: str = "cpu") -> TransformerBridge:
    """Return the model of a folder with ``config.json`` and weights, with the course's tokenizer.

    >>> read_model(DATA / "attn-only-1l").cfg.d_model
    384
    """
    sizes = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tokenizer = PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer")
    if "model_type" in sizes:  # in Hugging Face format
        return _boot_folder(folder, device, tokenizer)
    bridge = wrap(ShortformerModel(config(**sizes)).to(device), tokenizer, folder.name)
    weights = load_file(folder / weights_file)
    bridge.load_state_dict({key: weight.float() for key, weight in weights.items()})
    return bridge


def _boot_folder(folder: Path, device: str, tokenizer=None) -> TransformerBridge:
    """Return the model of a folder in Hugging Face format, without a bar that ends at once."""
    logging.disable_progress_bar()
    try:
        return boot(str(folder), device, tokenizer)
    finally:
        logging.enable_progress_bar()


def sha256(file: Path) -> str:
    """Return the hexadecimal sha256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
