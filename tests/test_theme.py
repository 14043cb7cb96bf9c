"""Colours: legible on light and on dark pages, and in one place."""

import re

import pytest

from helpers.build.lesson_files import ROOT
from helpers.theme import BLUE, DIVERGING, GREY, ORANGE, SEQUENTIAL, shade


def luminance(colour):
    levels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [((level + 0.055) / 1.055) ** 2.4 for level in levels]
    return sum(weight * level for weight, level in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(a, b):
    darker, lighter = sorted([luminance(a), luminance(b)])
    return (lighter + 0.05) / (darker + 0.05)


def test_grey_is_legible_without_a_stylesheet():
    jupyter_light, jupyter_dark = "#ffffff", "#111111"
    assert contrast(GREY, jupyter_light) > 4.5 and contrast(GREY, jupyter_dark) > 4.1


@pytest.mark.parametrize(("page", "text"), [("#ffffff", "#212121"), ("#111111", "#ffffff")])
@pytest.mark.parametrize("scale", [SEQUENTIAL, DIVERGING], ids=["sequential", "diverging"])
def test_text_of_the_page_is_legible_on_the_strongest_colours(scale, page, text):
    """Of both of JupyterLab's themes, whose text is black with an opacity of 0.87, and white."""
    for _, colour in scale:
        *rgb, opacity = (float(part) for part in colour[5:-1].split(","))
        below = [int(page[i : i + 2], 16) for i in (1, 3, 5)]
        seen = [round(opacity * over + (1 - opacity) * under) for over, under in zip(rgb, below)]
        assert contrast("#" + "".join(f"{level:02x}" for level in seen), text) > 4.5


def test_a_shade_says_sign_and_size():
    assert [shade(value, 2.0) for value in (2.0, 0.0, -1.0)] == [BLUE + "c8", BLUE + "00", ORANGE + "64"]


def test_no_other_module_has_a_colour():
    files = [path for path in (ROOT / "helpers").rglob("*") if path.suffix in (".py", ".js")]
    coloured = {
        path.name for path in files if re.search(r"#[0-9a-fA-F]{6}\b", path.read_text(encoding="utf-8"))
    }
    assert coloured == {"theme.py"}
