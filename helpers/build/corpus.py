"""Text to tokens: the byte-level BPE tokenizer of all shipped models, and the corpus as one array of token ids.

Any folder of ``.txt`` files will do. The tokenizer follows GPT-2's (Radford et al. 2019): bytes, so no text is unknown,
and words that carry the space before them.
"""

import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

WORDS = json.loads((Path(__file__).parents[2] / "data/words.json").read_text())
BOS = "<|bos|>"
VALIDATION_BOOKS = 6


def read_books(folder: Path) -> tuple[list[Path], list[Path]]:
    """The training files and the held-out ones (every n-th of the sorted list, ``VALIDATION_BOOKS`` in all)."""
    files = sorted(Path(folder).glob("*.txt"))
    if len(files) < 2:
        raise ValueError(f"expected a folder with at least two .txt files, found {len(files)} in {folder}")
    held_out = files[:: max(2, len(files) // VALIDATION_BOOKS)][:VALIDATION_BOOKS]
    return [file for file in files if file not in held_out], held_out


def train_tokenizer(files: list[Path], d_vocab: int) -> Tokenizer:
    """Byte-level BPE of ``d_vocab`` tokens in which every word of ``data/words.json`` is one token after a space.

    The lessons' words are repeated among the text often enough that their merges come before the rarest of the others.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [file.read_text(encoding="utf8") for file in files]
    lesson_words = " " + " ".join(word for group in WORDS.values() for word in group)
    texts.append(lesson_words * max(1, sum(map(len, texts)) // 25_000))
    trainer = trainers.BpeTrainer(
        vocab_size=d_vocab, special_tokens=[BOS], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, files: list[Path]) -> np.ndarray:
    """All files one after another as token ids (``uint16``)."""
    texts = [file.read_text(encoding="utf8") for file in files]
    return np.concatenate(
        [np.array(encoding.ids, dtype=np.uint16) for encoding in tokenizer.encode_batch(texts)]
    )
