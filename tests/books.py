"""A corpus small enough to train on within seconds."""

from pathlib import Path

import torch

from helpers.build.corpus import WORDS

BOOKS, WORDS_PER_BOOK = 8, 6000


def write_books(folder: Path) -> Path:
    """Write books of random words of the lessons, each after "the"; return the folder."""
    generator = torch.Generator().manual_seed(0)
    folder.mkdir()
    for book in range(BOOKS):
        indices = torch.randint(len(WORDS), (WORDS_PER_BOOK,), generator=generator).tolist()
        text = " ".join(f"the {WORDS[index]}" for index in indices)
        (folder / f"book{book}.txt").write_text(text, encoding="utf-8")
    return folder
