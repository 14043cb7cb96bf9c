"""A grid of buttons, one row per layer: heads to ablate, or patches to choose."""

from collections.abc import Callable, Sequence
from html import escape

import ipywidgets as widgets
from torch import Tensor

from helpers.explorer.views.predictions import visible
from helpers.page_data import VERBATIM_CLASSES
from helpers.theme import shade

LEAST_SCALE = 0.1  # logits or nats: the strongest colour means at least this


class Grid:
    """Buttons ``[layer][index]``, coloured by a value; ``click(layer, index)`` hears of clicks."""

    def __init__(self, click: Callable[[int, int], None]):
        self.click, self.form, self.buttons = click, None, []
        self.box = widgets.GridBox(layout=widgets.Layout(overflow="auto", max_height="230px"))
        self.button_layout = widgets.Layout(width="100%", height="24px", padding="0", margin="0")

    def shape(self, n_layers: int, columns: Sequence[str], named: bool = False) -> None:
        """Make the buttons, unless they are there; ``named`` shows the names of the columns."""
        self.box.layout.display = None
        if self.form == (n_layers, columns):
            return
        for widget in self.box.children:
            widget.close()
        self.form = n_layers, columns
        self.buttons = [[self._button(layer, i) for i in range(len(columns))] for layer in range(n_layers)]
        cells = [_label(name) for name in ("", *columns)] if named else []
        for layer, row in enumerate(self.buttons):
            cells += [_label(f"layer {layer}"), *row]
        self.box.layout.grid_template_columns = f"58px repeat({len(columns)}, 48px)"
        self.box.children = cells

    def clear(self) -> None:
        """Hide the buttons."""
        self.box.layout.display = "none"

    def _button(self, layer: int, index: int) -> widgets.Button:
        button = widgets.Button(layout=self.button_layout)
        button.on_click(lambda button: self.click(layer, index))
        return button

    def show(
        self, texts: Sequence[Sequence[str]], tooltips: Sequence[Sequence[str]], changes: Tensor | None
    ) -> None:
        """Write and colour the buttons: blue for a change above 0, orange for one below."""
        largest = 1.0 if changes is None else scale(changes)
        for layer, row in enumerate(self.buttons):
            for index, button in enumerate(row):
                button.description, button.tooltip = texts[layer][index], tooltips[layer][index]
                change = 0.0 if changes is None else changes[layer, index].item()
                button.style.button_color = shade(change, largest)

    def enable(self, enabled: bool) -> None:
        """Let the buttons be clicked, or not."""
        for row in self.buttons:
            for button in row:
                button.disabled = not enabled

    def mark(self, layer: int, index: int) -> None:
        """Outline one button."""
        for row, buttons in enumerate(self.buttons):
            for column, button in enumerate(buttons):
                mark = button.add_class if (row, column) == (layer, index) else button.remove_class
                mark("explorer-chosen")


def scale(changes: Tensor) -> float:
    """The change of the strongest colour."""
    return max(LEAST_SCALE, changes.abs().max().item())


def _label(name: str) -> widgets.HTML:
    """The name of a row or column of the grid, shown verbatim."""
    style = "display: block; overflow: hidden; white-space: nowrap; text-align: center"
    text = f'<span class="{VERBATIM_CLASSES}" style="{style}">{escape(visible(name))}</span>'
    return widgets.HTML(text, layout=widgets.Layout(overflow="hidden", min_width="0", margin="0"))
