"""The patching panel: the effect of every patch as a grid of buttons; a click applies one patch."""

from html import escape

import ipywidgets as widgets
from IPython.display import HTML
from jaxtyping import Float
from torch import Tensor

from helpers.explorer.panel import Panel
from helpers.explorer.subject import Subject, logit_diff
from helpers.explorer.views.patching import show_effects, show_patch
from helpers.page_data import VERBATIM_CLASSES
from helpers.theme import shade

PARTS = {
    "residual stream at one position (a person)": "resid",
    "queries of a head (its question)": "q",
    "keys of a head (who answers it)": "k",
    "values of a head (the answers)": "v",
    "output z of a head (what comes back)": "out",
}
BUTTON_LAYOUT = widgets.Layout(width="46px", min_width="46px", height="26px", padding="0", margin="1px")


class Patching(Panel):
    """Effects of all patches of a part, and the two lines of the chosen patch."""

    title = "patching"

    def __init__(self, explorer):
        super().__init__(explorer)
        self.box.children = (self.row, self.message, self.grid, *self.box.children[2:])

    def make_controls(self, subject):
        self.grid = widgets.GridBox(layout=widgets.Layout(overflow="auto"))
        self.adapt(subject)
        layout = widgets.Layout(width="420px")
        return dict(part=widgets.Dropdown(options=PARTS, description="patch", layout=layout))

    def adapt(self, subject):
        self.view, self.chosen, self.part_in_grid = show_effects, {}, None

    def values(self):
        return super().values() | self.chosen

    def show(self, subject):
        part = self.controls["part"].value
        if self.part_in_grid != part:
            self.adapt(subject)
            (effects,) = self.view(**self.arguments(subject))
            self.fill(subject, effects, part)
            self.part_in_grid = part
        if self.chosen:
            return super().show(subject)
        before = self.logit_diff(subject)
        return [HTML(f"<p>Logit difference {before:+.2f} as it is. Click a number to make that patch.</p>")]

    def logit_diff(self, subject: Subject) -> float:
        """The logit difference without a patch."""
        return logit_diff(subject.model, subject.logits, subject.right, subject.wrong).item()

    def fill(self, subject: Subject, effects: Float[Tensor, "layer index"], part: str) -> None:
        """Make the grid: one row per layer, one button per patch.

        A button shows the logit difference under its patch; the colour shows the change.
        """
        self.empty()
        names = subject.words if part == "resid" else [f"head {head}" for head in range(effects.shape[1])]
        before = self.logit_diff(subject)
        largest = (effects - before).abs().max().item() or 1.0
        cells = [widgets.HTML(), *map(_label, names)]
        for layer, row in enumerate(effects.tolist()):
            cells.append(_label(f"layer {layer}"))
            for index, value in enumerate(row):
                cells.append(self.button(layer, index, value, shade(value - before, largest)))
        self.grid.layout.grid_template_columns = f"64px repeat({len(names)}, 50px)"
        self.grid.children = cells

    def button(self, layer: int, index: int, value: float, colour: str) -> widgets.Button:
        """One cell of the grid."""
        tooltip = f"layer {layer}, {index}: {value:+.2f}"
        button = widgets.Button(description=f"{value:.1f}", layout=BUTTON_LAYOUT, tooltip=tooltip)
        button.style.button_color = colour
        button.on_click(lambda button: self.click(layer, index))
        return button

    def click(self, layer: int, index: int) -> None:
        """Choose a patch and draw it."""
        self.view, self.chosen = show_patch, dict(layer=layer, index=index)
        self.draw()

    def clear(self):
        super().clear()
        self.empty()

    def empty(self) -> None:
        """Remove the buttons of the grid."""
        for cell in self.grid.children:
            cell.close()
        self.grid.children = ()


def _label(name: str) -> widgets.HTML:
    """The name of a row or column of the grid, shown verbatim."""
    style = "display: block; overflow: hidden; white-space: nowrap; text-align: center"
    text = f'<span class="{VERBATIM_CLASSES}" style="{style}">{escape(name)}</span>'
    return widgets.HTML(text, layout=widgets.Layout(overflow="hidden", min_width="0"))
