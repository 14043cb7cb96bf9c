"""Public models: their names on the Hugging Face hub, and the download.

Weights are safetensors or tensors alone: no code in a checkpoint is ever run. A model whose files
are all on this computer is loaded without a request to the hub.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import (
    constants,
    errors,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.utils import get_session, parse_ratelimit_headers
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.supported_models import MODEL_ALIASES
from transformer_lens.utilities.tl_checkpoint_conversion import convert_tl_checkpoint
from transformers import AutoTokenizer

from helpers.hub_errors import ModelError, no_tokenizer, reason
from helpers.shortformer import ShortformerModel, config, guarded, wrap


@dataclass(frozen=True)
class PublicModel:
    """A model on the Hugging Face hub."""

    repo: str
    layers: int
    heads: int
    d_model: int
    megabytes: int  # of the download
    use: str
    licence: str
    weights: str  # precision in which they come


ARENA = "attn-only-2l-arena"
PUBLIC = {
    "smollm2-135m": PublicModel(
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        layers=30,
        heads=9,
        d_model=576,
        megabytes=93,
        use="a current language model: rotary positions, shared keys and values, gated MLPs",
        licence="Apache 2.0",
        weights="rounded to 4 bits; in full precision with source='hub', 269 MB",
    ),
    "gpt2-small": PublicModel(
        "gpt2",
        layers=12,
        heads=12,
        d_model=768,
        megabytes=548,
        use="IOI as published (Wang et al. 2022)",
        licence="MIT",
        weights="single precision",
    ),
    ARENA: PublicModel(
        "callummcdougall/attn_only_2L_half",
        layers=2,
        heads=12,
        d_model=768,
        megabytes=184,
        use="the two-layer model of the ARENA course",
        licence="not stated",
        weights="half precision",
    ),
}
ARENA_FILE = "attn_only_2L_half.pth"
ARENA_SIZES = dict(n_layers=2, n_heads=12, d_model=768, d_head=64, n_ctx=2048, d_vocab=50278)
ARENA_TOKENIZER = "EleutherAI/gpt-neox-20b"
TOKENIZER_FILES = ("tokenizer_config.json", "tokenizer.json")
FILES_ARE_MISSING = (OSError, ValueError, ModelError)  # raised by loading when they are
HUB_TIMEOUT_SECONDS = 10
INSTEAD = "The shipped attn-only-2l works without a network: load_model('attn-only-2l')."


def download(name: str, device: str, tokenizer: str | None = None) -> TransformerBridge:
    """Return a public model: from earlier downloads if they are complete, otherwise from the hub.

    ``name``: one of ``PUBLIC``, any other that TransformerLens knows, OWNER/REPO or a folder.
    ``tokenizer``: the repository or folder of its tokenizer. Raises ``ModelError``.
    """
    repo = _repo(name)

    def load() -> TransformerBridge:
        if name == ARENA:
            return _load_arena(device)
        return boot(repo, device, tokenizer and _tokenizer(tokenizer))

    files = [(repo, ARENA_FILE if name == ARENA else "config.json")]
    files += [(ARENA_TOKENIZER if name == ARENA else tokenizer or repo, file) for file in TOKENIZER_FILES]
    try:
        return _load_cached_or_download(load, [file for file in files if not Path(file[0]).is_dir()])
    except Exception as error:
        raise ModelError(f"{_reason(name, error)} {INSTEAD}") from error


def boot(source: str, device: str, tokenizer=None) -> TransformerBridge:
    """Return a model in Hugging Face format, from the hub or from a folder.

    LayerNorm is folded, weights are centred, and W_Q holds any scale of attention scores but
    1/√d_head. ``to_tokens`` begins with the beginning-of-text token. Raises ``ModelError`` if that
    cannot be done, and for a model without a tokenizer.
    """
    bridge = TransformerBridge.boot_transformers(source, device=device, tokenizer=tokenizer)
    if not _has_vocabulary(bridge.tokenizer):
        raise ModelError(no_tokenizer(getattr(bridge.tokenizer, "name_or_path", source)))
    try:
        bridge.enable_compatibility_mode()
    except Exception as error:
        raise ModelError(
            f"expected a model whose LayerNorm can be folded into its weights, got {source} "
            f"({bridge.cfg.architecture}), for which TransformerLens cannot: choose another model."
        ) from error
    _fold_attention_scale(bridge)
    bridge.cfg.default_prepend_bos = True  # as in prompts; TransformerLens differs for GPT-NeoX and Qwen
    return guarded(bridge.train(False).requires_grad_(False))


def _has_vocabulary(tokenizer) -> bool:
    """Return whether a tokenizer has any token that is not special.

    Without files transformers makes an empty tokenizer, for which every text is two special tokens.
    """
    if tokenizer is None:
        return False
    special = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    return not special.issuperset(tokenizer.get_vocab().values())


@torch.no_grad()
def _fold_attention_scale(bridge: TransformerBridge) -> None:
    """Multiply the W_Q of a GPT-2 by the scales of attention scores that its configuration adds.

    TransformerLens ignores ``scale_attn_weights``; measures on weights know neither of the two.
    """
    if bridge.cfg.architecture != "GPT2LMHeadModel":
        return
    config = bridge.original_model.config
    for layer, block in enumerate(bridge.blocks):
        scale = 1.0 if config.scale_attn_weights else bridge.cfg.d_head**0.5
        if config.scale_attn_by_inverse_layer_idx:
            scale /= layer + 1
        for parameter in block.attn.q.parameters():
            parameter.mul_(scale)
    config.scale_attn_weights = True
    config.scale_attn_by_inverse_layer_idx = bridge.cfg.scale_attn_by_inverse_layer_idx = False


def _load_cached_or_download(
    load: Callable[[], TransformerBridge], files: list[tuple[str, str]]
) -> TransformerBridge:
    """Return the model from earlier downloads if they are complete, otherwise from the hub.

    Each of the hub's ``files`` must be there, or be known to be missing in its repository.
    """
    if all(try_to_load_from_cache(repo, file) is not None for repo, file in files):
        with contextlib.suppress(*(FILES_ARE_MISSING if files else ())), _offline():
            return load()
    with _no_retries_when_refused():
        with contextlib.suppress(errors.RemoteEntryNotFoundError):  # loading says more about it
            get_hf_file_metadata(hf_hub_url(*files[0]), timeout=HUB_TIMEOUT_SECONDS)
        return load()


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Send no request: every file that is not on this computer counts as missing."""
    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextlib.contextmanager
def _no_retries_when_refused() -> Iterator[None]:
    """Stop at the first refusal of the hub, which libraries would repeat for minutes or ignore."""
    hooks = get_session().event_hooks["response"]
    hooks.append(_check_not_refused)
    try:
        yield
    finally:
        hooks.remove(_check_not_refused)


def _check_not_refused(response) -> None:
    """Raise ``ModelError`` if the hub refuses the access token (401) or too many requests (429).

    It answers 401 for a missing, private or gated repository as well, with an error code.
    """
    code, token = response.headers.get("X-Error-Code"), response.request.headers.get("Authorization")
    if response.status_code == 401 and token and code not in ("RepoNotFound", "GatedRepo"):
        raise ModelError(
            "the Hugging Face hub refused the access token of this computer, which has expired or is not "
            "valid: log in with `hf auth login` (if HF_TOKEN is set, give it a new token or unset it), or log "
            "out with `hf auth logout`, since public models need no token."
        )
    if response.status_code == 429:
        limit = parse_ratelimit_headers(response.headers)
        seconds = str(limit.reset_in_seconds if limit else response.headers.get("Retry-After"))
        wait = f"{seconds} seconds" if seconds.isdigit() else "a few minutes"
        raise ModelError(
            f"the Hugging Face hub limits the number of requests, and this network has reached the limit: "
            f"wait {wait} and call again. Finished downloads are kept."
        )


def _load_arena(device: str) -> TransformerBridge:
    """Return the ARENA course's two-layer model, read from an old TransformerLens checkpoint."""
    file = hf_hub_download(PUBLIC[ARENA].repo, ARENA_FILE)
    state = torch.load(file, map_location="cpu", weights_only=True)
    bridge = wrap(ShortformerModel(config(**ARENA_SIZES)).to(device), _tokenizer(ARENA_TOKENIZER), ARENA)
    weights = convert_tl_checkpoint(state, bridge.cfg)
    bridge.load_state_dict({key: weight.float() for key, weight in weights.items()})
    return bridge


def _tokenizer(name: str):
    """Return the tokenizer of a model."""
    try:
        return AutoTokenizer.from_pretrained(name)
    except Exception as error:
        raise ModelError(_reason(name, error)) from error


def _repo(name: str) -> str:
    """Repository of a model on the hub."""
    official = (official for official, aliases in MODEL_ALIASES.items() if name in aliases)
    return PUBLIC[name].repo if name in PUBLIC else next(official, name)


def _reason(name: str, error: Exception) -> str:
    """Return why a public model did not load, and what to do."""
    return reason(name, error, _repo(name), PUBLIC[name].megabytes if name in PUBLIC else None)
