"""Why a public model did not load, and what to do, in one sentence."""

import os
from collections.abc import Iterator
from pathlib import Path

import torch
from huggingface_hub import constants, errors, file_download

NETWORK_WORDS = ("Connect", "connect", "Timeout", "timed out", "name resolution")
FAULTS_OF_THIS_COMPUTER = (  # words of an error → what is wrong, and what to do
    (
        ("proxy URL", "socksio", "scheme for proxy"),
        "the proxy of this computer cannot be used: correct or unset ALL_PROXY and HTTPS_PROXY",
    ),
    (
        ("CERTIFICATE_VERIFY_FAILED", "load_verify_locations"),
        "the certificates of this computer do not suit: let SSL_CERT_FILE name those of your network, "
        "or unset it",
    ),
    (
        ("Illegal header value", "UnicodeEncodeError"),
        "the access token of this computer has characters that no token has, such as a space or a line "
        "end: copy it into HF_TOKEN again, or unset HF_TOKEN",
    ),
    (
        ("No space left", "Disk quota"),
        "the disk is full: free some of it, or let HF_HOME name another folder",
    ),
    (
        ("Permission denied", "Read-only file system", "Not a directory", "File exists"),
        "the folder for downloads cannot be written to: let HF_HOME name another folder",
    ),
)


class ModelError(RuntimeError):
    """Raised when a model cannot be loaded; the message says why and what to do.

    Notebooks show the message alone, without a traceback. ``latest`` is the last one's message.
    """

    latest: str | None = None

    def __init__(self, message: str):
        super().__init__(message)
        ModelError.latest = message

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


def reason(name: str, error: Exception, repo: str, megabytes: int | None) -> str:
    """Return why a public model did not load, and what to do.

    ``repo``: its repository on the hub. ``megabytes``: size of its weights, where it is known.
    """
    text = " ".join(f"{type(cause).__name__} {cause}" for cause in _chain(error))
    memory = (isinstance(cause, (MemoryError, torch.OutOfMemoryError)) for cause in _chain(error))
    if any(memory) or "allocate memory" in text:
        needed = f"{2 * megabytes} MB" if megabytes else "twice the size of its weights"
        return f"there is not enough memory for {name}: loading takes about {needed} of free memory."
    if sentences := [str(cause) for cause in _chain(error) if isinstance(cause, ModelError)]:
        return sentences[0]
    if "backend tokenizer" in text or "`vocab` and `merges`" in text:  # transformers lacks files of it
        return no_tokenizer(name)
    certificates = os.environ.get("SSL_CERT_FILE")
    if certificates and not Path(certificates).exists():
        text = f"load_verify_locations {text}"  # Python's own error does not say which file
    for words, sentence in FAULTS_OF_THIS_COMPUTER:
        if any(word in text for word in words):
            return f"{name} could not be downloaded: {sentence}, and restart Python."
    if refusal := _reason_of_hub(name, error, text):
        return refusal
    problem = f"{name} could not be loaded ({type(error).__name__}: {str(error)[:200]})"
    if Path(name).is_dir():
        return f"{problem}: check its files."
    folder = file_download.repo_folder_name(repo_id=repo, repo_type="model")
    return (
        f"{problem}. If its files were damaged on the way, "
        f"delete {Path(constants.HF_HUB_CACHE) / folder} and call again."
    )


def _reason_of_hub(name: str, error: Exception, text: str) -> str | None:
    """Return why the hub does not give a model, and what to do, or None if the hub gives it."""

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in _chain(error))

    if caused_by(errors.GatedRepoError):
        return (
            f"the Hugging Face hub gives {name!r} only to those who have accepted its terms: "
            "accept them on its page, log in with `hf auth login`, and call again."
        )
    not_found = (errors.RepositoryNotFoundError, errors.HFValidationError)
    if caused_by(*not_found) or "is not a valid model identifier" in text:
        return (
            f"the Hugging Face hub has no public model {name!r}: check the name. "
            "If the model is private, log in with `hf auth login`."
        )
    if caused_by(errors.OfflineModeIsEnabled):
        return (
            f"expected the files of {name} on this computer, because HF_HUB_OFFLINE forbids downloads, and "
            "some are missing: unset HF_HUB_OFFLINE and restart Python, or name a folder that holds them."
        )
    unanswered = (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, ConnectionError, TimeoutError)
    if caused_by(*unanswered) or any(word in text for word in NETWORK_WORDS):
        return (
            f"{name} could not be downloaded: the Hugging Face hub cannot be reached or does not answer "
            "as it should (no network? a login page?). Finished downloads are kept: call again later."
        )
    return None


def no_tokenizer(name: str) -> str:
    """Return the sentence about a model that comes without a tokenizer."""
    return (
        f"expected a model with a tokenizer, got {name}, which has no tokenizer files: name the model whose "
        f'tokenizer it was trained with, e.g. load_model({name!r}, tokenizer="gpt2").'
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and everything that caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
