"""A panel of the explorer: controls, the view that they steer, a message, and the view as code."""

import inspect
import sys
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets
import plotly.graph_objects as go
from IPython.display import HTML

from helpers.explorer.subject import Subject
from helpers.theme import ORANGE

FIELD_LAYOUT = widgets.Layout(width="560px", max_width="95%")
LABEL_STYLE = {"description_width": "96px"}


class Panel:
    """One tab. The view's parameters are names of controls and attributes of the subject."""

    title = ""
    view: Callable[..., list]  # a function of helpers.explorer.views

    def __init__(self, explorer):
        self.explorer, self.stale, self.drawn_subject = explorer, True, None
        self.controls = self.make_controls(explorer.subject)
        self.message, self.output = widgets.HTML(), widgets.Output()
        self.code_box = widgets.Textarea(layout=widgets.Layout(width="95%", height="180px"))
        code = widgets.Accordion(children=[self.code_box], selected_index=None)
        code.set_title(0, "as code: copy it into a notebook cell")
        self.row = widgets.HBox(list(self.controls.values()), layout=widgets.Layout(flex_flow="row wrap"))
        self.box = widgets.VBox([self.row, self.message, self.output, code])
        for control in self.controls.values():
            # a stale panel is drawn when it is opened
            control.observe(lambda change: self.stale or self.draw(), "value")

    def make_controls(self, subject: Subject) -> dict[str, widgets.Widget]:
        """The controls, by the names of the view's parameters."""
        return {}

    def adapt(self, subject: Subject) -> None:
        """Fit the controls to another text."""

    def values(self) -> dict[str, Any]:
        """Values of the controls, by name."""
        return {name: control.value for name, control in self.controls.items()}

    def draw(self) -> None:
        """Show what the controls say.

        An error becomes a message. The output before it stays if it belongs to the same subject.
        """
        subject, self.stale = self.explorer.subject, False
        try:
            outputs = self.show(subject)
            self.code_box.value = self.code(subject)
        except Exception as error:
            self.message.value = error_message(error)
            if self.drawn_subject is not subject:
                self.clear()
            return
        self.message.value, self.drawn_subject = "", subject
        self.output.outputs = tuple(map(display_data, outputs))

    def show(self, subject: Subject) -> list[go.Figure | HTML]:
        """Figures and HTML of the view, for the values of the controls."""
        return self.view(**self.arguments(subject))

    def arguments(self, subject: Subject) -> dict[str, Any]:
        """Arguments of the view: values of controls and attributes of the subject."""
        values = self.values()
        names = inspect.signature(self.view).parameters
        return {name: values[name] if name in values else getattr(subject, name) for name in names}

    def code(self, subject: Subject) -> str:
        """A notebook cell that shows the same: the module of the view, and a call of it."""
        literals = [
            f"{name}={value!r}"
            for name, value in self.arguments(subject).items()
            if name not in ("model", "tokens")
        ]
        call = f"{self.view.__name__}({', '.join(['model', 'tokens', *literals])})"
        source = inspect.getsource(sys.modules[self.view.__module__])
        return f"{source}\n\n{subject.code()}display(*{call})\n"

    def clear(self) -> None:
        """Remove the output."""
        self.output.outputs = ()


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


def slider(name: str, largest: int, value: int = 0) -> widgets.IntSlider:
    """A slider from 0 to ``largest`` that reports its value when it is released."""
    return widgets.IntSlider(
        value=value, min=0, max=largest, description=name, continuous_update=False, style=LABEL_STYLE
    )
