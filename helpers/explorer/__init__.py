"""The circuit explorer: ablate heads of a model on a text, and look at the same run in six panels.

``Explorer()`` as the last line of a cell shows it. It uses what ipywidgets 7 and 8 share, and runs
in JupyterLab, in Colab and, through Voilà, as a web page. A field that cannot be used gets a
message beside it; until it can, all that belongs to what was there before is pale.
"""

import contextlib

import ipywidgets as widgets
from jaxtyping import Float
from torch import Tensor

from helpers.explorer.grid import AT_THE_START, Heads
from helpers.explorer.panel import MOST_OPERATIONS, dropdown, error_message, text_field, view_code
from helpers.explorer.panels import PANELS
from helpers.explorer.subject import Subject, tokens_of
from helpers.explorer.views.predictions import head_effects, next_logits, show_predictions, visible
from helpers.models import list_models, load_model

SENTENCE = (
    "Click attention heads of a transformer to ablate them, and see how its predictions of the next token "
    "change. The panels below show the same text, token and head in six ways."
)
STYLE = """<style>
.explorer-stale { opacity: 0.25; }
.explorer-chosen { outline: 2px solid currentColor; outline-offset: -2px; }
.explorer .widget-html-content { line-height: 1.5; }
.explorer .modebar-container { display: none; }
</style>"""
# A landmark for screen readers. JupyterLab's shortcuts, such as D D for "delete the cell", ignore
# keys in an element so marked.
SCRIPT = """<script>(explorer => {
  explorer.role = "region"; explorer.ariaLabel = "Circuit explorer";
  explorer.addEventListener("focusin", ({ target }) =>
    target.setAttribute("data-lm-suppress-shortcuts", "true"));
})(document.currentScript.closest(".explorer") ?? document.createElement("p"));</script>"""


class Explorer:
    """The fields, the selection that all panels share, and the panels."""

    def __init__(
        self,
        model: str = "ioi-gpt2",
        prompt: str = "When Mary and John went to the store, John gave a drink to",
        source: str = "When Mary and John went to the store, Mary gave a drink to",
        right: str = "Mary",
        wrong: str = "John",
    ):
        shipped = [row["name"] for row in list_models() if row["from"] == "shipped" and row["layers"]]
        self.subject, self.ablated, self.measured, self.quiet = None, (), {}, False
        self.name = dropdown("model", list(dict.fromkeys([*shipped, model])))
        self.name.value = model
        self.prompt = text_field("text", prompt, "520px")
        self.fields = dict(
            source=text_field("second text", source, "620px"),
            right=text_field("answer", right),
            wrong=text_field("other answer", wrong),
        )
        style = {"description_width": "initial", "button_width": "auto"}
        self.position = widgets.ToggleButtons(options=[("", 0)], description="token", style=style)
        self.layer, self.head = dropdown("layer", [0], "105px"), dropdown("head", [0], "105px")
        self.tabs = widgets.ToggleButtons(
            options=[(kind.title, index) for index, kind in enumerate(PANELS)],
            description="panel",
            style=style,
        )
        self.grid = Heads(self.toggle)
        self.all_on, self.measure = (widgets.Button(layout=widgets.Layout(width="auto")) for _ in range(2))
        self.all_on.description = "all heads back on"
        self.message, self.status, self.predictions = (widgets.HTML() for _ in range(3))
        self.choice, self.selection = _hidden(widgets.Text, "choice"), _hidden(widgets.HTML, "selection")
        self.panels = [kind(self) for kind in PANELS]
        self.place = widgets.VBox([panel.box for panel in self.panels])
        self.show_panel()
        self.code = widgets.Accordion(
            children=[widgets.Textarea(layout=widgets.Layout(width="95%", height="180px"))],
            selected_index=None,
        )
        self.code.set_title(0, "as code: copy it into a notebook cell")
        self.box = self._box()
        self._listen()
        self.read()
        if self.is_current() and self.effects() is not None:
            strongest = int(self.effects().abs().argmax())
            self.toggle(*divmod(strongest, self.subject.model.cfg.n_heads))
            self.grid.about.value += AT_THE_START

    def _box(self) -> widgets.VBox:
        wrap = widgets.Layout(flex_flow="row wrap", align_items="flex-start")
        column = widgets.Layout(max_width="470px")
        heads = widgets.VBox([self.grid.about, self.grid.box, self.grid.legend], layout=column)
        buttons = widgets.HBox([self.all_on, self.measure])
        look = widgets.HBox([widgets.Label("look at head:"), self.layer, self.head, self.status])
        keys = widgets.Output(
            outputs=(dict(output_type="display_data", data={"text/html": SCRIPT}, metadata={}),)
        )
        rows = [
            widgets.HTML(f"{STYLE}{SENTENCE}"),
            widgets.HBox([self.name, self.prompt, self.message], layout=wrap),
            self.position,
            widgets.HBox([heads, widgets.VBox([self.predictions, buttons])], layout=wrap),
            widgets.HBox([self.tabs, look], layout=wrap),
            self.place,
            self.code,
            self.choice,
            self.selection,
            keys,
        ]
        box = widgets.VBox(rows)
        box.add_class("explorer")
        return box

    def _listen(self) -> None:
        for field in (self.name, self.prompt):
            field.observe(lambda change: self.read(), "value")
        for choice in (self.position, self.layer, self.head):
            choice.observe(lambda change: self.quiet or self.update(), "value")
        for field in self.fields.values():
            field.observe(lambda change: self.draw_panel(), "value")
        self.tabs.observe(lambda change: self.open(), "value")
        self.code.observe(lambda change: self.write_code(), "selected_index")
        self.all_on.on_click(lambda button: self.ablate(()))
        self.measure.on_click(lambda button: self.update(measure=True))

    def read(self) -> None:
        """Read the model and the text; after an error all that is shown stays pale."""
        with self.busy(self.position, self.predictions, self.grid.box, self.grid.legend, self.place):
            keep = self.subject is not None and self.subject.name == self.name.value
            model = self.subject.model if keep else load_model(self.name.value)
            if not model.cfg.n_layers:
                raise ValueError(
                    'expected a model with attention layers, got one without: try "attn-only-2l".'
                )
            subject = Subject(self.name.value, model, self.prompt.value)
            self.fit(subject)
            self.draw()
        self.enable(self.is_current())

    def enable(self, enabled: bool) -> None:
        """Let heads and tokens be clicked, or not."""
        for widget in (self.position, self.layer, self.head, self.all_on, self.measure):
            widget.disabled = not enabled
        self.grid.enable(enabled)

    def fit(self, subject: Subject) -> None:
        """Make another model or text the subject; what it has of the selection stays."""
        cfg, words = subject.model.cfg, subject.words
        layer, head = min(self.layer.value, cfg.n_layers - 1), min(self.head.value, cfg.n_heads - 1)
        position = self.position.value if len(words) == len(self.position.options) else len(words) - 1
        self.ablated = tuple(h for h in self.ablated if h[0] < cfg.n_layers and h[1] < cfg.n_heads)
        try:
            tokens_of(subject.model, self.fields["source"].value, length=len(words))
        except ValueError:  # a second text that cannot be used with this one
            self.fields["source"].value = subject.prompt
        self.subject, self.quiet = subject, True
        self.layer.options, self.head.options = range(cfg.n_layers), range(cfg.n_heads)
        self.layer.value, self.head.value = layer, head
        self.position.options = [(f"{i} {visible(word)}", i) for i, word in enumerate(words)]
        self.position.value, self.quiet = position, False
        self.grid.shape(cfg.n_layers, [str(index) for index in range(cfg.n_heads)])

    def state(self) -> dict:
        """What views get: the subject, the selection, the ablated heads, the fields of panels."""
        chosen = {name: getattr(self, name).value for name in ("position", "layer", "head")}
        fields = {name: field.value for name, field in self.fields.items()}
        subject = self.subject
        return chosen | fields | dict(model=subject.model, tokens=subject.tokens, ablated=self.ablated)

    def choose(self, **values: int) -> None:
        """Choose a position, a layer or a head, unless what is shown is old."""
        if not self.is_current():
            return
        self.quiet = True
        for name, value in values.items():
            getattr(self, name).value = value
        self.quiet = False
        self.update()

    def toggle(self, layer: int, head: int) -> None:
        """Ablate a head or put it back, and choose it."""
        if self.is_current():
            self.ablated = tuple(sorted({*self.ablated} ^ {(layer, head)}))
        self.choose(layer=layer, head=head)

    def ablate(self, heads: tuple[tuple[int, int], ...]) -> None:
        """Ablate exactly these heads."""
        if self.is_current():
            self.ablated = heads
            self.update()

    def open(self) -> None:
        """Show the panel of the chosen tab."""
        self.show_panel()
        if not self.is_current():
            self.panel.clear()  # it may show an older text
        self.draw_panel()

    def show_panel(self) -> None:
        """Hide the other panels; a box that leaves the page stays blank in some front ends."""
        for panel in self.panels:
            panel.box.layout.display = None if panel is self.panel else "none"

    @property
    def panel(self):
        """The open panel."""
        return self.panels[self.tabs.value]

    def update(self, measure: bool = False) -> None:
        """Show the state everywhere; ``measure`` the effects of all heads, even if slow."""
        if self.is_current():
            with self.busy(self.predictions, self.grid.box, self.place):
                self.draw(measure)

    def draw_panel(self, requested: bool = False) -> None:
        """Show the state in the open panel."""
        if self.is_current():
            with self.busy(self.place):
                self.panel.draw(requested)
                self.write_code()

    def is_current(self) -> bool:
        """Return True if the fields say what is shown, False after an error in one of them."""
        fields = (self.name.value, self.prompt.value)
        return self.subject is not None and (self.subject.name, self.subject.prompt) == fields

    @contextlib.contextmanager
    def busy(self, *boxes: widgets.DOMWidget):
        """Say that something is computed, and make what is there pale until it is replaced."""
        self.status.value = '<span role="status">computing …</span>'
        for box in boxes:
            box.add_class("explorer-stale")
        try:
            yield
        except Exception as error:
            self.message.value = error_message(error)
        else:
            for box in boxes:
                box.remove_class("explorer-stale")
            self.message.value = ""
        self.status.value = ""

    def draw(self, measure: bool = False) -> None:
        """Show the state everywhere, what is computed fastest first."""
        subject, position = self.subject, self.position.value
        (bars,) = show_predictions(subject.model, subject.tokens, position, self.ablated)
        self.predictions.value = bars.data
        self.predictions.remove_class("explorer-stale")
        self.draw_heads(self.effects(measure))
        self.grid.box.remove_class("explorer-stale")
        self.panel.draw(False)
        self.write_code()

    def effects(self, measure: bool = False) -> Float[Tensor, "layer head"] | None:
        """Effect of each head at the chosen position; None if that takes long, unasked."""
        subject, key = self.subject, (self.subject, self.position.value)
        if key not in self.measured and (measure or self.passes * subject.operations < MOST_OPERATIONS):
            self.measured = {key: head_effects(subject.model, subject.tokens, self.position.value)}
        return self.measured.get(key)

    @property
    def passes(self) -> float:
        """Forward passes that the effects of all heads take: each begins at the head's layer."""
        return self.subject.model.cfg.n_layers * self.subject.model.cfg.n_heads / 2

    def draw_heads(self, effects: Float[Tensor, "layer head"] | None) -> None:
        """Name, mark and colour the heads."""
        model, tokens = self.subject.model, self.subject.tokens
        self.measure.layout.display = None if effects is None else "none"
        if effects is None:
            seconds = self.passes * self.subject.seconds
            self.measure.description = f"measure all heads (at most {seconds:.0f} s)"
        best = next_logits(model, tokens, self.position.value).argmax()
        self.grid.draw(self.ablated, effects, model.tokenizer.decode(best))
        self.grid.mark(self.layer.value, self.head.value)

    def write_code(self) -> None:
        """Write what is shown as code, if the code is open."""
        if self.code.selected_index is None or self.subject is None:
            return
        state = self.state()
        names = ("model", "tokens", "position", "ablated")
        predictions = view_code(show_predictions, {name: state[name] for name in names})
        self.code.children[0].value = f"{self.subject.code()}\n{predictions}\n\n{self.panel.code(state)}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        # by hand, since ipywidgets 7, which Colab ships, has no such method to call
        view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
        return {
            "application/vnd.jupyter.widget-view+json": view,
            "text/plain": "The circuit explorer. Run the notebook: it needs a kernel behind it.",
        }


def _hidden(kind: type[widgets.DOMWidget], name: str) -> widgets.DOMWidget:
    """A part of the page by which the kernel and the script of a view talk."""
    widget = kind(layout=widgets.Layout(display="none"))
    widget.add_class(f"explorer-{name}")
    return widget
