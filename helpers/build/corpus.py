"""Text to tokens: the tokenizer of all shipped models, and the corpus as one array of token ids.

Any folder of ``.txt`` files will do. The tokenizer follows GPT-2's (Radford et al. 2019):
byte-level BPE, so no text is unknown, and words that carry the space before them.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

WORDS_FILE = Path(__file__).parents[2] / "data/words.json"
WORDS = [word for group in json.loads(WORDS_FILE.read_text(encoding="utf-8")).values() for word in group]
BOS = "<|bos|>"
D_VOCAB = 3072
CHARACTERS_PER_WORD_LIST = 25_000  # of text, for each repetition of the lessons' words
HELD_OUT_BOOKS = 6
HELD_OUT_WINDOWS = 64


def read_books(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the training files and the held-out ones: ``HELD_OUT_BOOKS``, evenly spaced by name.

    Raises ``ValueError`` for a folder with fewer than two texts.
    """
    files = sorted(Path(folder).glob("*.txt"))
    if len(files) < 2:
        raise ValueError(
            f"expected a folder with at least two .txt files, got {len(files)} in {folder}: "
            "give another folder."
        )
    held_out = files[:: max(2, len(files) // HELD_OUT_BOOKS)][:HELD_OUT_BOOKS]
    return [file for file in files if file not in held_out], held_out


def train_tokenizer(files: list[Path], d_vocab: int = D_VOCAB) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer in which every word of the lessons is one token.

    The words of ``data/words.json``, each after a space, are repeated among the text often enough
    that their merges come before the rarest merges of the text.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [file.read_text(encoding="utf-8") for file in files]
    repetitions = max(1, sum(map(len, texts)) // CHARACTERS_PER_WORD_LIST)
    texts.append((" " + " ".join(WORDS)) * repetitions)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=d_vocab, special_tokens=[BOS], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **dict.fromkeys(("bos_token", "eos_token", "pad_token", "unk_token"), BOS),
        clean_up_tokenization_spaces=False,
    )


def encoded_corpus(
    folder: Path, work: Path, tokenizer: PreTrainedTokenizerFast
) -> tuple[Int[Tensor, " token"], Int[Tensor, " token"]]:
    """Return training and held-out text as token ids, computed once and kept in ``work``."""
    training, held_out = (_encoded(files, work, tokenizer) for files in read_books(folder))
    return training, held_out


def _encoded(files: list[Path], work: Path, tokenizer: PreTrainedTokenizerFast) -> Int[Tensor, " token"]:
    """Token ids of all files, one after another."""
    backend = tokenizer.backend_tokenizer
    backend.no_padding()  # an earlier call with padding=True leaves it on
    key = [backend.to_str(), *((file.name, file.stat().st_size) for file in files)]
    cache = work / f"{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.npy"
    if not cache.exists():
        encodings = backend.encode_batch([file.read_text(encoding="utf-8") for file in files])
        np.save(cache, np.concatenate([np.array(encoding.ids, dtype=np.uint16) for encoding in encodings]))
    return torch.from_numpy(np.load(cache).astype(np.int32))


def held_out_windows(text: Int[Tensor, " token"], n_ctx: int, bos: int) -> Int[Tensor, "window pos"]:
    """Return the first ``HELD_OUT_WINDOWS`` windows of a text, each after beginning-of-text.

    Raises ``ValueError`` for a text that is too short.
    """
    needed = HELD_OUT_WINDOWS * (n_ctx - 1)
    if len(text) < needed:
        raise ValueError(f"expected {needed} held-out tokens or more, got {len(text)}: take larger books.")
    windows = text[:needed].view(HELD_OUT_WINDOWS, -1).long()
    return nn.functional.pad(windows, (1, 0), value=bos)
