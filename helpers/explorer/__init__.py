"""The circuit explorer: a text, a model, and every view and intervention of the course beside them.

``Explorer()`` as the last line of a cell shows it. It uses what ipywidgets 7 and 8 share, and runs in JupyterLab, in Colab and,
through Voilà, as a web page. What cannot be used gets a sentence beside its field, and what was there before stays.
"""

import ipywidgets as widgets
from IPython.display import HTML

from helpers import attention_view
from helpers.explorer.intervention_panels import HeadsOff, Patching
from helpers.explorer.panel import NAMED, WIDE, display_data, warning
from helpers.explorer.reading_panels import Attention, Lens, Line, Memory
from helpers.explorer.steering_panel import Steering
from helpers.explorer.subject import Subject
from helpers.models import ModelError, list_models, load_model
from helpers.trace import subspace_scores

PANELS = (Attention, Line, Memory, Lens, HeadsOff, Patching, Steering)


class Explorer:
    """The fields, a tab for each panel, and the subject that all of them look at."""

    def __init__(
        self,
        model: str = "ioi-gpt2",
        prompt: str = "When Mary and John went to the store, John gave a drink to",
        other: str = "When Mary and John went to the store, Mary gave a drink to",
        right: str = "Mary",
        wrong: str = "John",
    ):
        shipped = [row["name"] for row in list_models() if row["from"] == "shipped" and row["layers"]]
        names = list(dict.fromkeys([*shipped, model]))
        self.fields = dict(
            name=widgets.Dropdown(options=names, value=model, description="model", style=NAMED),
            prompt=_text_field("text", prompt),
            other=_text_field("second text", other),
            right=_text_field("answer", right),
            wrong=_text_field("other answer", wrong),
        )
        self.beside = {name: widgets.HTML() for name in self.fields}
        self.summary, self.tab, self.subject = widgets.HTML(), widgets.Tab(), None
        wrap = widgets.Layout(flex_flow="row wrap")
        rows = [widgets.HBox([field, self.beside[name]], layout=wrap) for name, field in self.fields.items()]
        bundle = widgets.Output()  # stays on the page, so that every later view finds it
        bundle.outputs = (display_data(HTML(attention_view.loader())),)
        self.box = widgets.VBox([bundle, *rows, self.summary, self.tab])
        self.read()
        for field in self.fields.values():
            field.observe(lambda change: self.read(), "value")
        self.tab.observe(lambda change: self.draw(), "selected_index")

    def read(self) -> None:
        """Take over the fields, or say beside one why it cannot be used and keep what was there."""
        given = {name: field.value for name, field in self.fields.items()}
        for beside in self.beside.values():
            beside.value = ""
        try:
            same = self.subject is not None and self.subject.name == given["name"]
            subject = Subject(model=self.subject.model if same else load_model(given["name"]), **given)
        except ModelError as error:
            self.beside["name"].value = warning(error)
            return
        faults = subject.faults()
        for name, error in faults.items():
            self.beside[name].value = warning(error)
        if not faults.keys() - {"other"}:  # most panels do without a second text
            self.take(subject)

    def take(self, subject: Subject) -> None:
        """Let every panel look at this subject; another model has other panels."""
        same, self.subject = self.subject is not None and self.subject.model is subject.model, subject
        if not same:
            self.scores = subspace_scores(subject.model)
            self.panels = [kind(self) for kind in PANELS]
            selected = self.tab.selected_index or 0
            self.tab.children = [panel.box for panel in self.panels]
            self.tab.selected_index = selected
            for index, panel in enumerate(self.panels):
                self.tab.set_title(index, panel.title)
        self.summary.value = f"<p>next: {subject.said(subject.logits())}</p>"
        for panel in self.panels:
            panel.stale = True
            panel.fit(subject)
        self.draw()

    def draw(self) -> None:
        """Draw the open panel, if it does not show this subject yet."""
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
    return widgets.Text(value=value, description=name, continuous_update=False, layout=WIDE, style=NAMED)
