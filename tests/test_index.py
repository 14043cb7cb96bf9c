"""The index: its map is the registry's, its terms stand in italics where it says, links and anchors lead somewhere."""

import re

import pytest

from helpers import __repository__
from helpers.build.exercise_map import INDEX, exercise_map, with_map
from helpers.build.lesson_files import ROOT, lessons, read_lesson
from helpers.exercises import all_exercises

TEXT = INDEX.read_text(encoding="utf-8")
GLOSSARY = TEXT.split("## Glossary")[1]
TERM = re.compile(r"- \*\*(.+?)\*\*( \(.+?\))?: (.+)\. \[lesson (\d)\]\((\S+)#(\S+)\)")
TERMS = [TERM.fullmatch(line) for line in GLOSSARY.splitlines() if line.startswith("-")]


def sections(path) -> dict[str, str]:
    """The text of every section of a lesson, by anchor, with the sections inside it."""
    text = "\n".join(cell.source for cell in read_lesson(path).cells if cell.cell_type == "markdown")
    by_anchor = {}
    for heading in re.finditer(r"^(#+) (.+)$", text, re.MULTILINE):
        end = re.compile(rf"^#{{1,{len(heading[1])}}} (?!Exercise )", re.MULTILINE).search(
            text, heading.end()
        )
        anchor = heading[2].replace("`", "").replace(" ", "-")
        by_anchor[anchor] = text[heading.end() : end.start() if end else len(text)]
    return by_anchor


SECTIONS = {path.name: sections(path) for path in lessons()}


def italics(text: str) -> set[str]:
    """The words in italics, in small letters."""
    plain = re.sub(r"`[^`]*`|\$[^$]*\$|\*\*.*?\*\*", "", text, flags=re.DOTALL)
    return {" ".join(words.lower().split()) for words in re.findall(r"(?<![*\w])\*([^*]+)\*(?![*\w])", plain)}


def test_the_map_is_that_of_the_registry():
    assert with_map(TEXT) == TEXT, "out of date: run python -m helpers.build.notebooks index"
    rows = re.findall(
        r"^\| ([\d.]+) \| \[(.+)\]\(\S+\) \| (\d+) \| ([●○]{3}) \|$", exercise_map(), re.MULTILINE
    )
    assert rows == [(e.id, e.title, str(e.minutes), f"{'●' * e.difficulty:○<3}") for e in all_exercises()]
    totals = [int(total) for total in re.findall(r"\| \*\*(\d+)\*\* \| \|", TEXT)]
    assert len(totals) == len(lessons()) + 1
    assert sum(totals[:-1]) == totals[-1] == sum(exercise.minutes for exercise in all_exercises())


def test_the_glossary_is_one_line_a_term_and_sorted():
    assert all(TERMS) and len(TERMS) > 80
    assert GLOSSARY.count("**") == 2 * len(TERMS)
    order = [(term[1].casefold(), term[2] or "") for term in TERMS]
    assert order == sorted(set(order))
    assert max(len(term[3]) for term in TERMS) <= 125


def test_every_term_stands_in_italics_in_the_section_it_links_to():
    for term in TERMS:
        word = term[1].lower()
        forms = {word, f"{word}s", f"{word.removesuffix('y')}ies"}
        assert term[5].startswith(f"0{term[4]}_"), word
        assert forms & italics(SECTIONS[term[5]][term[6]]), word


@pytest.mark.parametrize("page", [ROOT / "README.md", INDEX], ids=["README", "index"])
def test_links_and_anchors_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8"))
    for target, anchor in links:
        assert target and (page.parent / target).exists(), target
        assert not anchor or anchor in SECTIONS[target.rpartition("/")[2]], f"{target}#{anchor}"
        assert anchor.isascii(), f"JupyterLab does not find {anchor}"


def test_the_readme_links_the_index_and_says_how_to_cite():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](notebooks/index.md)" in readme
    assert f"url = {{{__repository__}}}" in readme


def test_the_folder_of_the_lessons_holds_nothing_else():
    names = {path.name for path in (ROOT / "notebooks").iterdir() if path.suffix != ".ipynb"}
    assert names - {"__pycache__", ".ipynb_checkpoints"} == {"conftest.py", "index.md"}
    assert INDEX not in lessons()
