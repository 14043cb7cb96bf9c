"""A tokenizer for tests: every word and every punctuation mark is one token."""

import re
from types import SimpleNamespace


class WordTokenizer:
    """Words get numbers as they come; the words of ``split`` take two tokens."""

    bos_token_id = 0

    def __init__(self, split=()):
        self.numbers, self.split = {"": 0}, split

    def __call__(self, texts, add_special_tokens: bool = False) -> SimpleNamespace:
        if isinstance(texts, str):
            return SimpleNamespace(input_ids=self._ids(texts))
        return SimpleNamespace(input_ids=[self._ids(text) for text in texts])

    def _ids(self, text: str) -> list[int]:
        words = re.findall(r"\w+|[^\w\s]", text)
        pieces = [piece for word in words for piece in ((word, "…") if word in self.split else (word,))]
        return [self.numbers.setdefault(piece, len(self.numbers)) for piece in pieces]
