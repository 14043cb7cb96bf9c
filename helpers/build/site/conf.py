"""Sphinx's configuration for the site: nothing is executed, and nothing asks a network.

Formulas are MathML, which browsers draw without a script.
"""

from pathlib import Path

import plotly
from latex2mathml.converter import convert

from helpers import __repository__, __version__

project = html_title = "Transformer circuits, a course"
version = release = __version__
author = "the contributors of the course"
language = "en"
root_doc = "index"
extensions = ["myst_nb"]
nb_execution_mode = "off"
nb_code_prompt_show, nb_code_prompt_hide = "Show the imports", "Hide the imports"  # only they are folded
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 6
myst_heading_slug_func = "helpers.build.site.conf.anchor"
html_theme = "sphinx_book_theme"
html_theme_options = {
    "extra_footer": f'<p><a href="{__repository__}">The repository of the course</a></p>',
    "use_download_button": False,
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "back_to_top_button": False,
    "navbar_persistent": [],  # the search field is at the side
}
html_math_renderer = "mathml"
html_static_path = [
    "site.js",
    "site.css",
    "../../page.css",
    str(Path(plotly.__file__).parent / "package_data" / "plotly.min.js"),
]
html_css_files = ["page.css", "site.css"]
html_js_files = [(name, {"defer": "defer"}) for name in ("glossary.js", "site.js")]
html_use_index = html_copy_source = html_show_sourcelink = html_show_copyright = html_show_sphinx = False


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as JupyterLab makes it.

    >>> anchor("What a circuit is")
    'What-a-circuit-is'
    """
    return heading.replace(" ", "-")


def setup(app) -> None:
    """Register the renderer of formulas with Sphinx."""
    app.add_html_math_renderer("mathml", (_inline_formula, None), (_displayed_formula, None))


def _inline_formula(page, node) -> None:
    page.body.append(convert(node.astext()))
    node.clear()  # nothing of it is left to write


def _displayed_formula(page, node) -> None:
    page.body.append(f'<div class="formula" tabindex="0">{convert(node.astext(), display="block")}</div>')
    node.clear()
