"""What the tests of views share: tokens that attack a page, and a page that notes what should never run."""

import re

import torch

HOSTILE = [
    "<img src=x onerror=hit()>", '<img/src="x"/onerror="hit()">', "</script><script>hit()</script>", "<script>hit()</script>",
    "</script><img src=x onerror=hit()>", "<svg onload=hit()>", "<svg/onload=hit()>", "<body onload=hit()>", "<iframe src=javascript:hit()>",
    "<a href=javascript:hit()>x</a>", '"><img src=x onerror=hit()>', "'><img src=x onerror=hit()>", "`-hit()-`", "${hit()}", "{{hit()}}",
    "</style><img src=x onerror=hit()>", "</title><img src=x onerror=hit()>", "</textarea><img src=x onerror=hit()>", "<!--<img src=x onerror=hit()>",
    "--><img src=x onerror=hit()>", "<math><mtext></p><img src=x onerror=hit()>", "<details open ontoggle=hit()>", "<input autofocus onfocus=hit()>",
    "<video><source onerror=hit()>", "\\\");hit();//", "\\\\';hit();//", "\\u003cimg src=x onerror=hit()>", "&lt;img src=x onerror=hit()&gt;",
    "<img src=x onerror=hit() ", "<b>bold</b>", "&amp;", "$x^2$", "\\(x\\)", "]]>", "\u2028hit()\u2029", "<object data=javascript:hit()>",
]  # fmt: skip
PATTERNS = torch.rand(2, len(HOSTILE), len(HOSTILE), generator=torch.Generator().manual_seed(0)).tril()


def show(page, *views: str):
    """Put the HTML of views into an empty page; ``window.hits`` counts what ran."""
    page.errors.clear()
    script = "<script>window.hits = 0; function hit() { hits++ }</script>"
    page.set_content(f"<meta charset=utf-8>{script}{''.join(views)}")


def is_untouched(page) -> bool:
    """No token ran, no request left the machine, and no script failed."""
    page.wait_for_timeout(500)
    return page.evaluate("hits") == 0 and page.refused == [] and page.errors == []


def without_scripts(view: str) -> str:
    """A view as GitHub and notebooks that are not trusted show it."""
    return re.sub(r"<script>.*?</script>", "", view, flags=re.S)
