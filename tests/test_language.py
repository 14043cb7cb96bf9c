"""Sentences are short, and the words are the field's."""

import pytest

from tests.language import MOST_WORDS, avoided, sentences, texts, words

TEXTS = dict(texts())


@pytest.mark.parametrize("name", TEXTS)
def test_sentences_are_short(name):
    assert [s for s in sentences(TEXTS[name]) if words(s) > MOST_WORDS] == []


@pytest.mark.parametrize("name", TEXTS)
def test_words_are_the_fields(name):
    assert avoided(TEXTS[name]) == []


def test_sentences_leaves_out_what_is_not_prose():
    text = "# Title\n\nOne `a.b` of [two](x.md). Three\nlines $x. Y$ long.\n\n| a | b |\n\n- item\n- another\n\n```\ncode. Here.\n```"
    assert sentences(text) == ["One x of two.", "Three lines x long.", "item", "another"]


def test_avoided_spares_paragraphs_on_the_mental_models():
    (message,) = avoided("The feeder writes.\n\nIn the line of people a feeder speaks.")
    assert "upstream head" in message
