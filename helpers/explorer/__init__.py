"""The circuit explorer: a text, a model, and every view and intervention of the course beside them.

``Explorer()`` as the last line of a cell shows it. It uses what ipywidgets 7 and 8 share, and runs
in JupyterLab, in Colab and, through Voilà, as a web page. A field that cannot be used gets a
message beside it, and the explorer keeps what it shows.
"""

import ipywidgets as widgets
from IPython.display import HTML

from helpers import attention_view
from helpers.explorer.panel import FIELD_LAYOUT, LABEL_STYLE, display_data, error_message
from helpers.explorer.panels import Attention, HeadsOff, Line, LogitLens, Memory, Steering
from helpers.explorer.patching_panel import Patching
from helpers.explorer.subject import Subject, prediction
from helpers.models import ModelError, list_models, load_model

PANELS = (Attention, Line, Memory, LogitLens, HeadsOff, Patching, Steering)


class Explorer:
    """The fields, a tab for each panel, and the subject that all panels show."""

    def __init__(
        self,
        model: str = "ioi-gpt2",
        prompt: str = "When Mary and John went to the store, John gave a drink to",
        source: str = "When Mary and John went to the store, Mary gave a drink to",
        right: str = "Mary",
        wrong: str = "John",
    ):
        shipped = [row["name"] for row in list_models() if row["from"] == "shipped" and row["layers"]]
        names = list(dict.fromkeys([*shipped, model]))
        self.fields = dict(
            name=widgets.Dropdown(options=names, value=model, description="model", style=LABEL_STYLE),
            prompt=_text_field("text", prompt),
            source=_text_field("second text", source),
            right=_text_field("answer", right),
            wrong=_text_field("other answer", wrong),
        )
        self.messages = {name: widgets.HTML() for name in self.fields}
        self.summary, self.tab, self.subject = widgets.HTML(), widgets.Tab(), None
        wrap = widgets.Layout(flex_flow="row wrap")
        rows = [
            widgets.HBox([field, self.messages[name]], layout=wrap) for name, field in self.fields.items()
        ]
        bundle = widgets.Output()  # stays on the page, so that every later view finds it
        bundle.outputs = (display_data(HTML(attention_view.loader())),)
        self.box = widgets.VBox([bundle, *rows, self.summary, self.tab])
        self.read()
        for field in self.fields.values():
            field.observe(lambda change: self.read(), "value")
        self.tab.observe(lambda change: self.draw(), "selected_index")

    def read(self) -> None:
        """Read the fields; an error goes beside its field, and the subject before it stays."""
        values = {name: field.value for name, field in self.fields.items()}
        for message in self.messages.values():
            message.value = ""
        try:
            keep = self.subject is not None and self.subject.name == values["name"]
            subject = Subject(model=self.subject.model if keep else load_model(values["name"]), **values)
        except ModelError as error:
            self.messages["name"].value = error_message(error)
            return
        faults = subject.faults()
        for name, error in faults.items():
            self.messages[name].value = error_message(error)
        if not faults.keys() - {"source"}:  # most panels do without a second text
            self.take(subject)

    def take(self, subject: Subject) -> None:
        """Show a subject in every panel; another model gets panels of its own."""
        same_model = self.subject is not None and self.subject.model is subject.model
        self.subject = subject
        if not same_model:
            self.panels = [kind(self) for kind in PANELS]
            selected = self.tab.selected_index or 0
            self.tab.children = [panel.box for panel in self.panels]
            self.tab.selected_index = selected
            for index, panel in enumerate(self.panels):
                self.tab.set_title(index, panel.title)
        text = prediction(subject.model, subject.logits, subject.right, subject.wrong)
        self.summary.value = f"<p>next: {text}</p>"
        for panel in self.panels:
            panel.stale = True
            panel.adapt(subject)
        self.draw()

    def draw(self) -> None:
        """Draw the open panel, unless it shows this subject."""
        panel = self.panels[self.tab.selected_index or 0]
        if panel.stale:
            panel.draw()

    def _repr_mimebundle_(self, include=None, exclude=None):
        # by hand, since ipywidgets 7, which Colab ships, has no such method to call
        view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        return {
            "application/vnd.jupyter.widget-view+json": view,
            "text/plain": "The circuit explorer. Run the notebook: it needs a kernel behind it.",
        }


def _text_field(name: str, value: str) -> widgets.Text:
    return widgets.Text(
        value=value, description=name, continuous_update=False, layout=FIELD_LAYOUT, style=LABEL_STYLE
    )
