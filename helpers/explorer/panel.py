"""A panel of the explorer: controls, the view that they steer, a message, and the view as code."""

import inspect
import sys
from collections.abc import Callable, Hashable
from html import escape
from typing import Any

import ipywidgets as widgets
import plotly.graph_objects as go
from IPython.display import HTML

from helpers.explorer.views.predictions import without
from helpers.theme import ORANGE

LABEL_STYLE = {"description_width": "initial"}
MOST_OPERATIONS = 2.5e11  # what is computed without being asked for


class Panel:
    """One tab. The view's parameters are names of controls and of the explorer's state."""

    title = ""
    view: Callable[..., Any]  # a function of helpers.explorer.views
    fields: tuple[str, ...] = ()  # fields of the explorer that this panel shows

    def __init__(self, explorer):
        self.explorer, self.computed, self.shown = explorer, None, None
        self.controls = self.make_controls()
        self.note, self.message, self.output = widgets.HTML(), widgets.HTML(), widgets.Output()
        self.button = widgets.Button(layout=widgets.Layout(width="auto", display="none"))
        self.button.on_click(lambda button: explorer.draw_panel(requested=True))
        row = [*self.controls.values(), *(explorer.fields[name] for name in self.fields)]
        self.row = widgets.HBox(row, layout=widgets.Layout(flex_flow="row wrap"))
        self.box = widgets.VBox([self.row, self.note, self.message, self.button, self.output])
        for control in self.controls.values():
            control.observe(lambda change: explorer.draw_panel(), "value")

    def make_controls(self) -> dict[str, widgets.Widget]:
        """The controls, by the names of the view's parameters."""
        return {}

    def cost(self, state: dict[str, Any]) -> tuple[Hashable, float]:
        """What is computed, as a key, and the number of forward passes that it takes."""
        return None, 0.0

    def draw(self, requested: bool) -> None:
        """Show what the controls say, or ask first if it takes long; an error becomes a message."""
        state, subject = self.explorer.state(), self.explorer.subject
        values = {**self.arguments(self.view, state), "model": subject.name, "tokens": subject.prompt}
        if values == self.shown:
            return
        self.message.value, self.button.layout.display, self.shown = "", "none", None
        self.note.value = f"Run: {self.run(state)}."
        self.arrange()
        key, passes = self.cost(state)
        if passes * subject.operations > MOST_OPERATIONS and key != self.computed and not requested:
            self.button.description = f"compute (at most {max(1, passes * subject.seconds):.0f} s)"
            self.button.layout.display = None
            self.clear()
            return
        try:
            outputs = self.show(state)
        except Exception as error:
            self.message.value = error_message(error)
            self.clear()
            return
        self.computed, self.shown = key, values
        self.output.outputs = tuple(map(display_data, outputs))

    def run(self, state: dict[str, Any]) -> str:
        """HTML that says which run the panel shows."""
        return without(state["ablated"]) if state["ablated"] else "all heads on"

    def arrange(self) -> None:
        """Show and hide controls."""

    def show(self, state: dict[str, Any]) -> list[go.Figure | HTML]:
        """Figures and HTML of the view."""
        return self.view(**self.arguments(self.view, state))

    def arguments(self, view: Callable, state: dict[str, Any]) -> dict[str, Any]:
        """Arguments of a view: values of controls, and the explorer's state."""
        values = state | {name: control.value for name, control in self.controls.items()}
        return {name: values[name] for name in inspect.signature(view).parameters}

    def code(self, state: dict[str, Any]) -> str:
        """Source that shows the same in a notebook where ``model`` and ``tokens`` are defined."""
        return view_code(self.view, self.arguments(self.view, state))

    def clear(self) -> None:
        """Remove the output."""
        self.output.outputs, self.shown = (), None


def view_code(view: Callable, arguments: dict[str, Any]) -> str:
    """The module of a view, and a call of it."""
    literals = [f"{name}={value!r}" for name, value in arguments.items() if name not in ("model", "tokens")]
    source = inspect.getsource(sys.modules[view.__module__])
    return f"{source}\n\ndisplay(*{view.__name__}({', '.join(['model', 'tokens', *literals])}))\n"


def display_data(output: go.Figure | HTML) -> dict:
    """A figure or HTML in the form that an ``Output`` widget holds.

    Colab draws no plotly figure in such a widget, but it runs the script of one.
    """
    if isinstance(output, HTML):
        data = {"text/html": output.data, "text/plain": ""}
    elif "google.colab" in sys.modules:
        data = {"text/html": output.to_html(full_html=False, include_plotlyjs="cdn"), "text/plain": ""}
    else:
        data = output._repr_mimebundle_()
    return dict(output_type="display_data", data=data, metadata={})


def error_message(error: Exception) -> str:
    """The sentence of an error as HTML, after its kind unless it is one of the course's own."""
    kind = "" if isinstance(error, ValueError | RuntimeError) else f"{type(error).__name__}: "
    return f'<span role="alert" style="color: {ORANGE}">{escape(kind + str(error)[:300])}</span>'


def text_field(name: str, value: str, width: str = "270px") -> widgets.Text:
    """A field that reports its text on Enter."""
    layout = widgets.Layout(width=width, max_width="95%")
    return widgets.Text(
        value=value, description=name, continuous_update=False, layout=layout, style=LABEL_STYLE
    )


def dropdown(name: str, options: Any, width: str = "270px") -> widgets.Dropdown:
    """A choice among options."""
    layout = widgets.Layout(width=width, max_width="95%")
    return widgets.Dropdown(options=options, description=name, layout=layout, style=LABEL_STYLE)
