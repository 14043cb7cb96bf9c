"""The panels of the explorer that are a view and its controls."""

import ipywidgets as widgets
from IPython.display import HTML
from transformer_lens.model_bridge import TransformerBridge

from helpers.components import Head
from helpers.explorer.panel import Panel, slider
from helpers.explorer.views.attention import show_attention
from helpers.explorer.views.heads_off import show_heads_off
from helpers.explorer.views.line import show_line
from helpers.explorer.views.logit_lens import show_logit_lens
from helpers.explorer.views.memory import show_memory
from helpers.explorer.views.steering import show_steering


class Attention(Panel):
    """Attention patterns of a layer."""

    title = "attention"
    view = staticmethod(show_attention)

    def make_controls(self, subject):
        return dict(layer=slider("layer", subject.model.cfg.n_layers - 1))


class Line(Panel):
    """The line view."""

    title = "line"
    view = staticmethod(show_line)


class Memory(Panel):
    """The memory map and the address trace of one destination token."""

    title = "memory"
    view = staticmethod(show_memory)

    def make_controls(self, subject):
        last, heads = subject.tokens.shape[1] - 1, _head_options(subject.model)
        return dict(
            destination=slider("token", last, last),
            head=widgets.Dropdown(options=heads, value=heads[-1][1], description="head"),
            colour=widgets.Dropdown(options=["length", "logit difference"], description="colour"),
        )

    def adapt(self, subject):
        last = subject.tokens.shape[1] - 1
        with self.controls["destination"].hold_trait_notifications():
            self.controls["destination"].max = self.controls["destination"].value = last


class LogitLens(Panel):
    """The logit lens at every position."""

    title = "logit lens"
    view = staticmethod(show_logit_lens)


class HeadsOff(Panel):
    """Ablation of some heads."""

    title = "heads off"
    view = staticmethod(show_heads_off)

    def make_controls(self, subject):
        heads = _head_options(subject.model)
        return dict(
            heads=widgets.SelectMultiple(options=heads, rows=8, description="off"),
            kind=widgets.Dropdown(options=["zero", "mean", "resample"], description="in its place"),
        )

    def show(self, subject):
        hint = "<p>Choose heads; Ctrl (or ⌘) and click for several.</p>"
        return super().show(subject) + ([] if self.controls["heads"].value else [HTML(hint)])


class Steering(Panel):
    """Steering by a contrast of texts or by a word."""

    title = "steering"
    view = staticmethod(show_steering)

    def make_controls(self, subject):
        kinds = [
            ("difference of two kinds of text", "contrast"),
            ("a word's direction in the unembedding", "word"),
        ]
        n_layers = subject.model.cfg.n_layers
        return dict(
            kind=widgets.Dropdown(options=kinds, description="direction"),
            positive=_text_area("from", "He was happy and\nIt was a good day and"),
            negative=_text_area("minus", "He was angry and\nIt was a bad day and"),
            word=widgets.Text("garden", description="word", continuous_update=False),
            layer=slider("before layer", n_layers - 1, n_layers // 2),
            strength=widgets.FloatSlider(
                value=0.5, min=-3, max=3, step=0.1, description="strength", continuous_update=False
            ),
        )

    def show(self, subject):
        for name in ("positive", "negative", "word"):
            used = (name == "word") == (self.controls["kind"].value == "word")
            self.controls[name].layout.display = None if used else "none"
        return super().show(subject)


def _head_options(model: TransformerBridge) -> list[tuple[str, tuple[int, int]]]:
    cfg = model.cfg
    heads = [(layer, head) for layer in range(cfg.n_layers) for head in range(cfg.n_heads)]
    return [(str(Head(*head)), head) for head in heads]


def _text_area(name: str, texts: str) -> widgets.Textarea:
    layout = widgets.Layout(width="300px", height="90px")
    return widgets.Textarea(texts, description=name, layout=layout, continuous_update=False)
