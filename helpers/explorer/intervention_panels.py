"""Panels that intervene: heads switched off, and patching between two texts."""

from html import escape

import ipywidgets as widgets
import torch
from IPython.display import HTML

from helpers.explorer.panel import Panel
from helpers.explorer.subject import Subject
from helpers.forward import Forward
from helpers.hooks import patch_hooks, replace_z_hooks
from helpers.ioi import make_prompts
from helpers.line import read_line
from helpers.line_view import line_view
from helpers.patching import patch_heads, patch_residual
from helpers.theme import BLUE, ORANGE


class HeadsOff(Panel):
    title = "heads off"

    def make(self, subject):
        cfg = subject.model.cfg
        heads = [(layer, head) for layer in range(cfg.n_layers) for head in range(cfg.n_heads)]
        options = [("{}.{}".format(*head), head) for head in heads]
        self.average = [
            z.mean(dim=(0, 1), keepdim=True)
            for z in Forward(subject.model).run(make_prompts(subject.model.tokenizer, 32).tokens).z
        ]
        return dict(
            heads=widgets.SelectMultiple(options=options, rows=8, description="off"),
            kind=widgets.Dropdown(options=["zero", "mean", "resample"], description="in its place"),
        )

    def otherwise(self, subject: Subject, kind: str) -> list:
        if kind == "resample":
            return Forward(subject.model).run(subject.other_tokens).z
        return self.average if kind == "mean" else [z * 0 for z in self.average]

    def show(self, subject, heads, kind):
        after = subject.logits(replace_z_hooks(heads, self.otherwise(subject, kind)))
        off = ", ".join("{}.{}".format(*head) for head in heads)
        without = (
            f"without {off}: {subject.said(after)}"
            if off
            else "Choose heads; Ctrl (or ⌘) and click for several."
        )
        return [HTML(f"<p>all heads: {subject.said(subject.logits())}</p><p>{without}</p>")]

    def code(self, subject, heads, kind):
        otherwise = {
            "zero": "[z * 0 for z in Forward(model).run(tokens).z]",
            "mean": "[z.mean(dim=(0, 1), keepdim=True) for z in Forward(model).run(make_prompts(model.tokenizer, 32).tokens).z]",
            "resample": f"Forward(model).run(model.to_tokens({subject.other!r})).z",
        }
        return f"""
from helpers.ablation import replace_z_hooks
from helpers.forward import Forward
from helpers.ioi import make_prompts

otherwise = {otherwise[kind]}
with model.hooks(fwd_hooks=replace_z_hooks({list(heads)}, otherwise)):
    logits = model(tokens)[0, -1]
logits[{subject.right_token}] - logits[{subject.wrong_token}]
"""


PARTS = {
    "a person: the stream at one position": "resid",
    "the question of a head (q)": "q",
    "who answers a head (k)": "k",
    "the answers to a head (v)": "v",
    "what comes back from a head (z)": "out",
}
CELL = widgets.Layout(width="46px", min_width="46px", height="26px", padding="0", margin="1px")


def _named(name: str) -> widgets.HTML:
    """A row's or a column's name in the grid, shown as it is."""
    style = "display: block; overflow: hidden; white-space: nowrap; text-align: center"
    text = f'<span class="tex2jax_ignore mathjax_ignore" style="{style}">{escape(name)}</span>'
    return widgets.HTML(text, layout=widgets.Layout(overflow="hidden", min_width="0"))


class Patching(Panel):
    """The effect of every patch as a grid of buttons; a click applies one, and both lines are shown."""

    title = "patching"

    def make(self, subject):
        self.chosen = self.filled = None
        self.grid = widgets.GridBox(layout=widgets.Layout(overflow="auto"))
        return dict(
            part=widgets.Dropdown(options=PARTS, description="swap", layout=widgets.Layout(width="380px"))
        )

    def __init__(self, explorer):
        super().__init__(explorer)
        self.box.children = (self.row, self.said, self.grid, *self.box.children[2:])

    def fit(self, subject):
        self.chosen = self.filled = None

    def clear(self):
        super().clear()
        self.empty()

    def empty(self) -> None:
        for old in self.grid.children:
            old.close()
        self.grid.children = ()

    def effects(self, subject: Subject, part: str) -> torch.Tensor:
        """What each patch makes of the logit difference, [layer place]."""
        given = (subject.model, subject.tokens, subject.other_tokens, subject.logit_diff)
        found = patch_residual(*given) if part == "resid" else patch_heads(*given, part=part)
        return found[..., 0]

    def show(self, subject, part):
        if self.filled != part:
            self.chosen = None
            self.fill(subject, self.effects(subject, part), part)
            self.filled = part
        if self.chosen is None:
            before = subject.logit_diff(subject.logits()).item()
            return [
                HTML(f"<p>Logit difference {before:+.2f} as it is. Click a number to make that swap.</p>")
            ]
        layer, place = self.chosen
        hooks = patch_hooks(subject.model, subject.other_tokens, layer, part, place)
        what = (
            f"person {place}, before layer {layer}" if part == "resid" else f"{part} of head {layer}.{place}"
        )
        patched = read_line(subject.model, subject.tokens, f"swapped: {what}", hooks)
        said = HTML(f"<p>swapped: {subject.said(subject.logits(hooks))}</p>")
        return [said, line_view(subject.line, patched, layer=subject.model.cfg.n_layers - 1)]

    def fill(self, subject: Subject, effects: torch.Tensor, part: str) -> None:
        """The grid: a row a layer, a button a patch, labelled by the logit difference it leaves and coloured by the change."""
        self.empty()
        columns = subject.line.tokens if part == "resid" else [f"head {i}" for i in range(effects.shape[1])]
        before = subject.logit_diff(subject.logits()).item()
        largest = (effects - before).abs().max().item() or 1.0
        cells = [widgets.HTML(), *map(_named, columns)]
        for layer, row in enumerate(effects.tolist()):
            cells.append(_named(f"layer {layer}"))
            cells += [
                self.button(layer, place, value, (value - before) / largest)
                for place, value in enumerate(row)
            ]
        self.grid.layout.grid_template_columns = f"64px repeat({len(columns)}, 50px)"
        self.grid.children = cells

    def button(self, layer: int, place: int, value: float, change: float) -> widgets.Button:
        made = widgets.Button(
            description=f"{value:.1f}", layout=CELL, tooltip=f"layer {layer}, {place}: {value:+.2f}"
        )
        made.style.button_color = (BLUE if change >= 0 else ORANGE) + f"{round(200 * abs(change)):02x}"
        made.on_click(lambda button: self.click(layer, place))
        return made

    def click(self, layer: int, place: int) -> None:
        self.chosen = (layer, place)
        self.draw()

    def code(self, subject, part):
        other = f"other = model.to_tokens({subject.other!r})"
        if self.chosen is None:
            call = "patch_residual(*given)" if part == "resid" else f"patch_heads(*given, part={part!r})"
            return f"""
from helpers.patching import patch_heads, patch_residual

{other}
given = (model, tokens, other, lambda logits: logits[:, {subject.right_token}] - logits[:, {subject.wrong_token}])
{call}[..., 0]
"""
        layer, place = self.chosen
        return f"""
from helpers.hooks import patch_hooks
from helpers.line import read_line
from helpers.line_view import line_view

{other}
hooks = patch_hooks(model, other, {layer}, {part!r}, {place})
line_view(read_line(model, tokens, "as it is"), read_line(model, tokens, "swapped", hooks), layer={subject.model.cfg.n_layers - 1})
"""
