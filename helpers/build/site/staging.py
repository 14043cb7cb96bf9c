"""The sources of the site: pages for Sphinx, and files that are copied beside them.

Pages stand where their files stand in the repository, so most links lead to the same places. The
landing page takes its text from the README.
"""

import json
import re
import shutil
from pathlib import Path

import nbformat

from helpers.build.exercise_map import INDEX
from helpers.build.lesson_files import ROOT, lessons, repository_address, with_links
from helpers.build.site.pages import lesson_page

README = ROOT / "README.md"
FIRST_PICTURE = ROOT / "data" / "first_picture.png"
SECTIONS = ("Lessons", "Start", "Citing")  # of the README, on the landing page
TERM = re.compile(r"^- \*\*(.+?)\*\*( \(.+?\))?: (.+)\. \[(lesson \d+)\]", re.MULTILINE)
EVERYDAY = {  # words with a special meaning in one lesson, which texts also use in another
    "additive", "agreement", "aligned", "backup", "bug", "cell", "complete", "copy", "corrupted",
    "dense", "duplicate token", "folded", "gated", "hard", "mean", "minimal", "previous token",
    "resample", "soft", "sparse", "strength", "suppress", "value", "zero",
}  # fmt: skip


def stage(source: Path, files: Path) -> None:
    """Write the pages below ``source`` and the other files of the site below ``files``."""
    cards = sorted((ROOT / "data").glob("*/README.md"))
    texts = [INDEX, *cards, ROOT / "data" / "corpus.md"]
    pages = [*lessons(), *texts]
    for path in [*pages, FIRST_PICTURE]:
        _place(path, source).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(FIRST_PICTURE, _place(FIRST_PICTURE, source))
    for path in lessons():
        folder = _place(path, files).parent
        page = lesson_page(path, folder / "figures")
        for cell in page.cells:
            if cell.cell_type == "markdown":
                cell.source = linked(cell.source, path, pages)
        nbformat.write(page, _place(path, source))
        shutil.copy(path, folder)
    for path in texts:
        text = linked(path.read_text(encoding="utf-8"), path, pages)
        _place(path, source).write_text(text, encoding="utf-8")
    (source / "index.md").write_text(landing_page(pages), encoding="utf-8")
    (files / "_static").mkdir()
    script = f"window.courseGlossary = {json.dumps(glossary(INDEX.read_text(encoding='utf-8')))};"
    (files / "_static" / "glossary.js").write_text(script, encoding="utf-8")


def landing_page(pages: list[Path]) -> str:
    """Return the first page: the README's introduction and some of its sections, and the contents.

    Raises ``ValueError`` when the README has no such section.
    """
    introduction, *parts = re.split(r"^## (.+)\n", README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    bodies = dict(zip(parts[::2], parts[1::2]))
    if missing := [name for name in SECTIONS if name not in bodies]:
        raise ValueError(f"Expected sections {', '.join(SECTIONS)} in README.md, got no {missing[0]}.")
    text = introduction + "".join(f"## {name}\n{bodies[name]}" for name in SECTIONS)
    names = [path.relative_to(ROOT).with_suffix("").as_posix() for path in pages]
    count = len(lessons())
    contents = [_contents("Lessons", names[:count]), _contents("Reference", names[count:])]
    return "\n\n".join([linked(text, README, pages), *contents])


def _contents(caption: str, names: list[str]) -> str:
    """Return Sphinx's table of contents, which is shown at the side of every page."""
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *names, "```"])


def glossary(index: str) -> dict[str, str]:
    """Return what the index says of each term, all its meanings in one text: term → explanation.

    >>> glossary("- **key** (of a head): a token. [lesson 0](00.ipynb#A)")
    {'key': 'key (of a head): a token (lesson 0).'}
    """
    explanations: dict[str, str] = {}
    for term, meaning, text, lesson in TERM.findall(index):
        if term not in EVERYDAY:
            sentence = f"{term}{meaning}: {text} ({lesson})."
            explanations[term] = f"{explanations.get(term, '')} {sentence}".strip().replace("`", "")
    return explanations


def _place(path: Path, folder: Path) -> Path:
    """Return the path in a folder that stands for the repository."""
    return folder / path.relative_to(ROOT)


def linked(text: str, path: Path, pages: list[Path]) -> str:
    """Return Markdown whose links lead to pages of the site, or else into the repository."""
    kept = {page.resolve() for page in [*pages, FIRST_PICTURE]}
    home = "" if path == README else "../" * (len(path.relative_to(ROOT).parts) - 1) + "index.md"

    def address_of(target: Path) -> str:
        if target == README.resolve():
            return home
        return "" if target in kept else repository_address(target)

    def section(link: re.Match) -> str:  # GitHub writes anchors in small letters, the site does not
        name = link[1].capitalize()
        return (
            f"]({home}#{name})"
            if name in SECTIONS
            else f"]({repository_address(README.resolve())}#{link[1]})"
        )

    to_readme = "" if path == README else r"(?:\.\./)+README\.md"
    text = re.sub(rf"\]\({to_readme}#([\w-]+)\)", section, text)
    return with_links(text, path.parent, address_of)
