"""Colours: legible on light and on dark pages, and in one place."""

import re

from helpers.build.lesson_files import ROOT
from helpers.theme import BLUE, GREY, ORANGE, shade


def luminance(colour):
    levels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [((level + 0.055) / 1.055) ** 2.4 for level in levels]
    return sum(weight * level for weight, level in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(a, b):
    darker, lighter = sorted([luminance(a), luminance(b)])
    return (lighter + 0.05) / (darker + 0.05)


def test_grey_is_legible_on_light_and_on_dark():
    jupyter_light, jupyter_dark = "#ffffff", "#111111"
    assert contrast(GREY, jupyter_light) > 3.9 and contrast(GREY, jupyter_dark) > 4.5


def test_a_shade_says_sign_and_size():
    assert [shade(value, 2.0) for value in (2.0, 0.0, -1.0)] == [BLUE + "c8", BLUE + "00", ORANGE + "64"]


def test_no_other_module_has_a_colour():
    files = [path for path in (ROOT / "helpers").rglob("*") if path.suffix in (".py", ".js")]
    coloured = {
        path.name for path in files if re.search(r"#[0-9a-fA-F]{6}\b", path.read_text(encoding="utf-8"))
    }
    assert coloured == {"theme.py"}
