"""A panel of the explorer: controls, what they show, a sentence when they cannot, and the code that shows the same in a notebook."""

import sys
from html import escape

import ipywidgets as widgets
import plotly.graph_objects as go
from IPython.display import HTML

from helpers.explorer.subject import Subject

WIDE = widgets.Layout(width="560px", max_width="95%")
NAMED = {"description_width": "96px"}


class Panel:
    """One tab. A kind of panel says what its controls are, what they show of a subject, and by what code."""

    title = ""

    def __init__(self, explorer):
        self.explorer, self.stale, self.shown_of = explorer, True, None
        self.controls = self.make(explorer.subject)
        self.said, self.place = widgets.HTML(), widgets.Output()
        self.copy = widgets.Textarea(layout=widgets.Layout(width="95%", height="180px"))
        code = widgets.Accordion(children=[self.copy], selected_index=None)
        code.set_title(0, "as code: copy it into a notebook cell")
        self.row = widgets.HBox(list(self.controls.values()), layout=widgets.Layout(flex_flow="row wrap"))
        self.box = widgets.VBox([self.row, self.said, self.place, code])
        for control in self.controls.values():
            # a stale one is drawn when it is opened
            control.observe(lambda change: self.stale or self.draw(), "value")

    def make(self, subject: Subject) -> dict[str, widgets.Widget]:
        """The controls, by the names under which ``show`` and ``code`` get their values."""
        return {}

    def fit(self, subject: Subject) -> None:
        """Adapt the controls to another text."""

    def show(self, subject: Subject, **values) -> list:
        """What is to be seen: figures and HTML."""
        raise NotImplementedError

    def code(self, subject: Subject, **values) -> str:
        """Lines that, after ``subject.code()``, end in what the panel shows."""
        raise NotImplementedError

    def clear(self) -> None:
        """Take away what is shown."""
        self.place.outputs = ()

    def draw(self) -> None:
        """Show what the controls say. Whatever goes wrong becomes a sentence; the picture before it stays if it is of this subject."""
        subject, self.stale = self.explorer.subject, False
        values = {name: control.value for name, control in self.controls.items()}
        try:
            shown = self.show(subject, **values)
            self.copy.value = subject.code() + self.code(subject, **values)
        except Exception as error:
            self.said.value = warning(error)
            if self.shown_of is not subject:
                self.clear()
            return
        self.said.value, self.shown_of = "", subject
        self.place.outputs = tuple(map(display_data, shown))


def display_data(shown: go.Figure | HTML) -> dict:
    """A figure or HTML as what an ``Output`` widget holds. Colab draws no plotly figure in one, but does run its script."""
    if isinstance(shown, HTML):
        data = {"text/html": shown.data, "text/plain": ""}
    elif "google.colab" in sys.modules:
        data = {"text/html": shown.to_html(full_html=False, include_plotlyjs="cdn"), "text/plain": ""}
    else:
        data = shown._repr_mimebundle_()
    return dict(output_type="display_data", data=data, metadata={})


def warning(error: Exception) -> str:
    """An error's sentence as HTML; the kind of error in front unless it is one of the course's own."""
    kind = "" if isinstance(error, ValueError | RuntimeError) else f"{type(error).__name__}: "
    return f'<span role="alert" style="color: #d55e00">{escape(kind + str(error)[:300])}</span>'


def slider(name: str, most: int, value: int = 0) -> widgets.IntSlider:
    return widgets.IntSlider(
        value=value, min=0, max=most, description=name, continuous_update=False, style=NAMED
    )
