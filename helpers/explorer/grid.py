"""Grids of buttons, one row per layer: heads to ablate, or patches to choose."""

from collections.abc import Callable, Sequence
from html import escape

import ipywidgets as widgets
from jaxtyping import Float
from torch import Tensor

from helpers.explorer.views.predictions import two_decimals, visible
from helpers.page_data import VERBATIM_CLASSES
from helpers.theme import shade

ABLATION = "A click ablates a head: its output becomes zero (zero ablation)."
AT_THE_START = " At the start the head with the strongest effect is ablated, as an example."
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
        largest = 1.0 if changes is None else _scale(changes)
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


class Heads(Grid):
    """The heads of a model, and what their colours mean."""

    def __init__(self, click: Callable[[int, int], None]):
        super().__init__(click)
        self.about, self.legend = widgets.HTML(ABLATION), widgets.HTML()

    def draw(
        self, ablated: Sequence[tuple[int, int]], effects: Float[Tensor, "layer head"] | None, token: str
    ) -> None:
        """Name and colour the heads by their effects on a token's log-probability, if measured."""
        rows = [[(layer, head) for head in range(len(row))] for layer, row in enumerate(self.buttons)]
        texts = [[f"{h[0]}.{h[1]}{' ✕' * (h in ablated)}" for h in row] for row in rows]
        self.legend.value, tooltips = "", [["ablate, or back on" for _ in row] for row in rows]
        if effects is not None:
            factors = (-effects).exp().tolist()
            tooltips = [[f"alone: probability × {two_decimals(factor)}" for factor in row] for row in factors]
            least, most = (_factor(effect, _scale(effects)) for effect in (effects.max(), effects.min()))
            self.legend.value = (
                f'<span class="{VERBATIM_CLASSES}">✕: ablated. Colour: ablating one head alone lowers (blue) '
                f"or raises (orange) the probability of “{escape(token)}”, from {least} to {most}.</span>"
            )
        self.show(texts, tooltips, effects)


def _factor(effect: Float[Tensor, ""], largest: float) -> str:
    """A factor of a probability, on the colour of its effect, as HTML."""
    text = escape(two_decimals((-effect).exp().item()))
    return f'<span style="background: {shade(effect.item(), largest)}">× {text}</span>'


def _scale(changes: Tensor) -> float:
    """The change of the strongest colour."""
    return max(LEAST_SCALE, changes.abs().max().item())


def _label(name: str) -> widgets.HTML:
    """The name of a row or column of the grid, shown verbatim."""
    style = "display: block; overflow: hidden; white-space: nowrap; text-align: center"
    text = f'<span class="{VERBATIM_CLASSES}" style="{style}">{escape(visible(name))}</span>'
    return widgets.HTML(text, layout=widgets.Layout(overflow="hidden", min_width="0", margin="0"))
