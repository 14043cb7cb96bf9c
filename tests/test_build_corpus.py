"""Text to tokens: the tokenizer, the split into books, and the encoded corpus."""

import pytest
import torch

from helpers.build.corpus import WORDS, encoded_corpus, held_out_windows, read_books, train_tokenizer
from tests.books import BOOKS, WORDS_PER_BOOK, write_books


@pytest.fixture
def books(tmp_path):
    return write_books(tmp_path / "books")


def test_the_tokenizer_knows_the_lessons_words_and_every_byte(books):
    training, held_out = read_books(books)
    assert len(training) + len(held_out) == BOOKS and held_out and not set(training) & set(held_out)
    tokenizer = train_tokenizer(training, d_vocab=1200)
    assert all(len(tokenizer(f" {word}").input_ids) == 1 for word in WORDS)
    assert tokenizer.decode(tokenizer("ß 語 🙂").input_ids) == "ß 語 🙂"


def test_the_corpus_is_encoded_once(books, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    tokenizer = train_tokenizer(read_books(books)[0], d_vocab=1200)
    texts = encoded_corpus(books, work, tokenizer)
    assert [len(text) for text in texts] == [4 * 2 * WORDS_PER_BOOK] * 2  # "the" and a word
    files = set(work.iterdir())
    for text, again in zip(texts, encoded_corpus(books, work, tokenizer), strict=True):
        assert torch.equal(text, again)
    assert len(files) == 2 and set(work.iterdir()) == files


def test_a_folder_without_texts_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least two .txt files, got 0"):
        read_books(tmp_path)


def test_too_little_held_out_text_is_refused():
    with pytest.raises(ValueError, match="expected 448 held-out tokens or more, got 447: take larger books"):
        held_out_windows(torch.zeros(447, dtype=torch.int32), n_ctx=8, bos=0)
