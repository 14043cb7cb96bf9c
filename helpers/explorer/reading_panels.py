"""Panels that look: attention, the line of people, the memory with its address trace, the logit lens."""

from html import escape

import ipywidgets as widgets
import torch
from IPython.display import HTML

from helpers import attention_view, plots
from helpers.explorer.panel import Panel, slider
from helpers.line_view import line_view
from helpers.trace import address_trace, component_sizes


class Attention(Panel):
    title = "attention"

    def make(self, subject):
        return dict(layer=slider("layer", subject.model.cfg.n_layers - 1))

    def show(self, subject, layer):
        names = [f"{layer}.{head}" for head in range(subject.model.cfg.n_heads)]
        return [attention_view.attention_heads(subject.line.patterns[layer], subject.line.tokens, names)]

    def code(self, subject, layer):
        return f"""
from helpers.line import read_line
from helpers.attention_view import attention_heads

line = read_line(model, tokens)
names = [f"{layer}.{{head}}" for head in range(model.cfg.n_heads)]
attention_heads(line.patterns[{layer}], line.tokens, names)
"""


class Line(Panel):
    title = "line"

    def show(self, subject):
        return [line_view(subject.line)]

    def code(self, subject):
        return f"""
from helpers.line import read_line
from helpers.line_view import line_view

line_view(read_line(model, tokens, {subject.prompt!r}))
"""


class Memory(Panel):
    title = "memory"

    def make(self, subject):
        cfg = subject.model.cfg
        heads = [f"L{layer}H{head}" for layer in range(cfg.n_layers) for head in range(cfg.n_heads)]
        last = subject.tokens.shape[1] - 1
        return dict(
            destination=slider("token", last, last),
            head=widgets.Dropdown(options=heads, value=heads[-1], description="head"),
            colour=widgets.Dropdown(options=["length", "logit difference"], description="colour"),
        )

    def fit(self, subject):
        last = subject.tokens.shape[1] - 1
        with self.controls["destination"].hold_trait_notifications():
            self.controls["destination"].max = self.controls["destination"].value = last

    def show(self, subject, destination, head, colour):
        W_U = subject.model.W_U
        direction = None if colour == "length" else W_U[:, subject.right_token] - W_U[:, subject.wrong_token]
        sizes, names = component_sizes(subject.model, subject.tokens, direction)
        trace = address_trace(subject.model, subject.tokens, destination, self.explorer.scores)
        chosen = next(access for access in trace if str(access).startswith(head + " "))
        title = f"What was stored ({colour}), and what {head} does for token {destination}"
        cells = chosen.cells(names)
        figure = plots.memory_map(
            sizes, subject.line.tokens, names, title, cells, diverging=direction is not None
        )
        lines = "\n".join(map(str, trace))
        return [
            figure,
            HTML(f'<pre class="tex2jax_ignore" style="white-space: pre-wrap">{escape(lines)}</pre>'),
        ]

    def code(self, subject, destination, head, colour):
        along = ""
        if colour != "length":
            along = f", model.W_U[:, {subject.right_token}] - model.W_U[:, {subject.wrong_token}]"
        return f"""
from helpers import plots
from helpers.trace import address_trace, component_sizes

sizes, names = component_sizes(model, tokens{along})
trace = address_trace(model, tokens, {destination})
print(*trace, sep="\\n")
chosen = next(access for access in trace if str(access).startswith("{head} "))
words = [model.tokenizer.decode(token) for token in tokens[0]]
plots.memory_map(sizes, words, names, "memory", chosen.cells(names), diverging={bool(along)})
"""


class Lens(Panel):
    title = "logit lens"

    def show(self, subject):
        line = subject.line
        shares = torch.tensor([[share for _, share in layer] for layer in line.thoughts])
        words = [[word for word, _ in layer] for layer in line.thoughts]
        rows = ["embedding", *(f"after layer {layer}" for layer in range(len(words) - 1))]
        title = "What would be said if the stream were read out there"
        return [plots.heatmap(shares, rows, line.tokens, title, largest=1.0, texts=words)]

    def code(self, subject):
        return """
import torch

from helpers.line import read_line
from helpers.plots import heatmap

line = read_line(model, tokens)
shares = torch.tensor([[share for _, share in layer] for layer in line.thoughts])
words = [[word for word, _ in layer] for layer in line.thoughts]
rows = ["embedding", *(f"after layer {layer}" for layer in range(len(words) - 1))]
heatmap(shares, rows, line.tokens, "logit lens", largest=1.0, texts=words)
"""
