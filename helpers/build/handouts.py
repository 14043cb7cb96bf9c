"""Handouts: a lesson for paper, as one HTML file and as a PDF.

A handout holds a lesson's text, code, figures and printed results, and nothing that only a running
notebook needs. Formulas are MathML and interactive outputs are stills, so neither file needs a
network.
"""

import ast
import base64
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup
from jinja2 import pass_context
from jinja2.runtime import Context
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from playwright.sync_api import Browser, Error, sync_playwright
from traitlets.config import Config

from helpers import __repository__, __version__
from helpers.build.committed_form import METADATA, is_first_cell
from helpers.build.hint_blocks import BLOCKS
from helpers.build.lesson_files import (
    PLOTLY,
    exercise_of,
    outputs_of,
    read_lesson,
    repository_address,
    with_links,
)
from helpers.build.lesson_runs import in_state
from helpers.build.static_images import PNG, add_alternative_texts, add_static_images
from helpers.exercises import get
from helpers.exercises.engine import Exercise
from helpers.theme import INK

HTML = "text/html"
TEMPLATE = Path(__file__).with_name("handout.html.j2")
MEDIA_TYPES = [PNG, "image/jpeg", "image/svg+xml", HTML, "text/markdown", "text/plain"]  # the best first
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
CALLS_OF_A_RUN = {"check", "hint", "solution", "progress"}
SHARPNESS = 3  # pixels of a still per pixel of a screen
PLOTLY_WIDTH = 700  # pixels, where a figure names no width
STUB = re.compile(r"^ *raise NotImplementedError\n?", re.MULTILINE)
VIEWS = """<meta charset="utf-8"><style>
body { font: 13px sans-serif; background: white } section { width: 760px } select, button, label { display: none }
[aria-live] { font-size: 19px }  /* a line of people is wide, so that paper shrinks the sentence below it, too */
</style>"""
FIT = """section => {  // as wide as the widest picture, which a screen scrolls
    const width = Math.max(760, ...[...section.querySelectorAll('*')].map(node => node.scrollWidth));
    section.style.width = width + 'px';
    return width;
}"""
FOOTER = (
    '<div style="width: 100%; text-align: center; font: 8px sans-serif">{title} · page '
    '<span class="pageNumber"></span> of <span class="totalPages"></span></div>'
)


def write_handout(path: Path, folder: Path, solutions: bool = False) -> list[Path]:
    """Write the handout of a lesson into a folder, as HTML and as PDF; return both paths."""
    notebook = in_state(read_lesson(path), "solved" if solutions else "unsolved")
    if not outputs_of(notebook.cells):
        raise ValueError(
            f"Expected a notebook with outputs, got none in {path}. Run all its cells and save it."
        )
    notebook = for_paper(notebook, path.parent, solutions)
    folder.mkdir(parents=True, exist_ok=True)
    page, pdf = (folder / f"{path.stem}{suffix}" for suffix in (".html", ".pdf"))
    with _browser() as browser:
        _draw_figures(notebook)
        _draw_views(notebook, browser)
        title = _title(notebook) or path.stem
        html = as_html(notebook, title)
        page.write_text(html, encoding="utf-8")
        _print(browser, html, pdf, title)
    return [page, pdf]


def for_paper(notebook: NotebookNode, folder: Path, solutions: bool) -> NotebookNode:
    """Return the cells of a handout as a notebook; links of the text start from ``folder``."""
    exercise_ids = [exercise_id for cell in notebook.cells if (exercise_id := exercise_of(cell))]
    cells = [cell for cell in notebook.cells if not _is_plumbing(cell)]
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = _text_for_paper(cell.source, folder)
        elif cell.cell_type == "code":
            _trim_code(cell)
            cell.outputs = [output for output in cell.outputs if not _is_for_screens(output)]
    if exercise_ids and not solutions:
        cells.append(_hints(exercise_ids))
    return nbformat.v4.new_notebook(cells=cells, metadata=METADATA)


def _title(notebook: NotebookNode) -> str | None:
    """Return the first heading of a notebook."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    heading = re.search(r"^# (.+)", "\n".join(texts), re.MULTILINE)
    return heading[1] if heading else None


def _is_plumbing(cell: NotebookNode) -> bool:
    """True for the course's first cell, and for imports and calls that only a run needs."""
    if cell.cell_type != "code":
        return False
    try:
        statements = ast.parse(cell.source).body
    except SyntaxError:  # an answer may hold one
        return False
    if not statements:
        return not cell.source.strip()
    return is_first_cell(cell) or all(map(_is_call_of_a_run, statements))


def _is_call_of_a_run(statement: ast.stmt) -> bool:
    """True for an import, and for ``check(…)``, ``hint(…)``, ``solution(…)``, ``progress()``."""
    match statement:
        case ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(ast.Call(ast.Name(name))):
            return name in CALLS_OF_A_RUN
    return False


def _text_for_paper(text: str, folder: Path) -> str:
    """Take the links to other lessons and the hints out of a text; unfold what is folded."""
    line = re.search(r"^\[▶ Open in Colab\](.+\n)+", text, re.MULTILINE)
    if line:
        facts = re.sub(r"(· )?(\w+: )?\[[^]]*\]\([^)]*\)\s*", "", line[0])
        text = text.replace(line[0], facts.removeprefix("· ").rstrip() + "\n")
    text = BLOCKS.sub("", text).replace("<details>", "<details open>")
    text = text.replace("⏱ ", "")  # few fonts have it
    return with_links(text, folder, repository_address)


def _trim_code(cell: NotebookNode) -> None:
    """Leave of an exercise cell the function and room to write, of a set-up cell its outputs."""
    exercise_id = exercise_of(cell)
    if exercise_id:
        source = cell.source.replace(f'@exercise("{exercise_id}")\n', "")
        cell.source = STUB.sub("", source)
        if source != cell.source:
            cell.metadata.room = _room(get(exercise_id))
    elif "load_model(MODEL)" in cell.source:
        cell.metadata.transient = {"remove_source": True}


def _room(exercise: Exercise) -> int:
    """Return the number of empty lines for an answer: some more than the reference takes."""
    functions = [node for node in ast.parse(exercise.solution()).body if isinstance(node, ast.FunctionDef)]
    reference = next(node for node in functions if node.name == exercise.reference.__name__)
    statements = reference.body[1:]  # without the docstring
    return min(2 + sum(len(ast.unparse(statement).splitlines()) for statement in statements), 8)


def _is_for_screens(output: NotebookNode) -> bool:
    """True for warnings, progress bars and the cards of checks, hints and solutions."""
    html = output.get("data", {}).get(HTML, "")
    return output.get("name") == "stderr" or "<progress" in html or "role='status'" in html


def _hints(exercise_ids: list[str]) -> NotebookNode:
    """Return a cell with the hints of exercises."""
    hints = [f"**{exercise_id}** {' · '.join(get(exercise_id).hints)}" for exercise_id in exercise_ids]
    return nbformat.v4.new_markdown_cell("\n\n".join(["## Hints", *hints]), metadata={"tags": ["hints"]})


@contextmanager
def _browser() -> Iterator[Browser]:
    """Open the computer's Chromium, Chrome or Edge."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    ways = [{"executable_path": path}] if path else [{"channel": "chrome"}, {"channel": "msedge"}]
    with sync_playwright() as playwright:
        for way in ways:
            try:
                browser = playwright.chromium.launch(**way)
            except Error:
                continue
            yield browser
            return browser.close()
    raise OSError(
        "Expected Chromium, Chrome or Edge, which draws pictures and the PDF, found none. Install one."
    )


def _draw_figures(notebook: NotebookNode) -> None:
    """Put a sharp picture in the place of every plotly figure."""
    figures = [output for output in outputs_of(notebook.cells) if PLOTLY in output.get("data", {})]
    for figure in figures:
        layout = figure.data[PLOTLY]["layout"]
        layout["font"] = {"color": INK}
        layout["margin"] = {**layout.get("margin", {}), "l": 10, "b": 10}  # labels make their own room
    add_alternative_texts(notebook)
    add_static_images(notebook, SHARPNESS)
    for figure in figures:
        figure.metadata[PNG]["width"] = figure.data.pop(PLOTLY)["layout"].get("width", PLOTLY_WIDTH)


def _draw_views(notebook: NotebookNode, browser: Browser) -> None:
    """Put a picture in the place of every output that a script draws."""
    views = [
        output for output in outputs_of(notebook.cells) if "<script" in output.get("data", {}).get(HTML, "")
    ]
    context = browser.new_context(
        offline=True, viewport={"width": 1600, "height": 900}, device_scale_factor=SHARPNESS
    )
    page = context.new_page()
    page.set_content(VIEWS + "".join(f"<section>{view.data[HTML]}</section>" for view in views))
    page.evaluate("window.circuitsViews")  # the library of the attention views
    page.wait_for_timeout(1000)
    for view, section in zip(views, page.locator("body > section").all()):
        width = section.evaluate(FIT)
        view.metadata[PNG] = {"alt": _description(view.data[HTML]), "width": width}
        view.data = nbformat.from_dict({PNG: base64.b64encode(section.screenshot()).decode()})
    context.close()


def _description(html: str) -> str:
    """Return an alternative text for a view: its label, captions and pictures, or else its text."""
    page = BeautifulSoup(html, "html.parser")
    labels = [node["aria-label"] for node in page.select("[aria-label]")]
    labels += [node.get("alt") or node.get_text() for node in page.select("caption, img")]
    for script in page.select("script"):
        script.decompose()
    return ", ".join(labels) or page.get_text()


def as_html(notebook: NotebookNode, title: str) -> str:
    """Return a notebook as one HTML page without scripts, its formulas as MathML."""
    exporter = HTMLExporter(
        template_file=str(TEMPLATE),
        filters={"markdown2html": _markdown_as_html},
        config=Config(
            CSSHTMLHeaderPreprocessor={"style": "friendly"},
            NbConvertBase={"display_data_priority": MEDIA_TYPES},
        ),
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    resources = {"metadata": {"name": title}, "repository": __repository__, "version": __version__}
    return exporter.from_notebook_node(notebook, resources)[0]


@pass_context
def _markdown_as_html(context: Context, source: str) -> str:
    """Return Markdown as HTML, in the way of nbconvert's own filter, with MathML for LaTeX."""
    attachments = context["cell"].get("attachments", {})
    renderer = _Renderer(escape=False, anchor_link_text="", attachments=attachments)
    return MarkdownWithMath(renderer=renderer).render(source)


class _Renderer(IPythonRenderer):
    """nbconvert's renderer, with formulas that browsers draw without a script."""

    def inline_math(self, body: str) -> str:
        return convert(body)

    def block_math(self, body: str) -> str:
        return convert(body, display="block")


def _print(browser: Browser, html: str, path: Path, title: str) -> None:
    """Print a page to a PDF with page numbers, bookmarks and, for screen readers, tags."""
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.set_content(html)
    page.pdf(
        path=path,
        prefer_css_page_size=True,
        print_background=True,
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=FOOTER.format(title=escape(title)),
        outline=True,
        tagged=True,
    )
    context.close()
