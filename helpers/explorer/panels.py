"""The panels of the explorer: a view each, and its controls."""

import json

import ipywidgets as widgets

from helpers.circuit_view import MEASURES
from helpers.explorer.grid import Grid
from helpers.explorer.panel import Panel, dropdown, text_field, view_code
from helpers.explorer.views.attention import show_attention
from helpers.explorer.views.circuit import count_shown, only, read_strongest, show_circuit, shown
from helpers.explorer.views.logit_lens import show_logit_lens
from helpers.explorer.views.memory import show_memory
from helpers.explorer.views.patching import logit_difference, show_effects, show_patch
from helpers.explorer.views.predictions import next_logits
from helpers.explorer.views.steering import show_steering

PARTS = {
    "residual stream at one position": "resid",
    "queries of a head": "q",
    "keys of a head": "k",
    "values of a head": "v",
    "output z of a head": "out",
}


class Attention(Panel):
    """Attention of all heads from the chosen token, and the pattern of the chosen head."""

    title = "attention"
    view = staticmethod(show_attention)


class CircuitPanel(Panel):
    """The circuit view."""

    title = "circuit"
    view = staticmethod(show_circuit)

    def __init__(self, explorer):
        super().__init__(explorer)
        self.measure, self.told, self.all_but = MEASURES[0], {}, None
        explorer.choice.observe(lambda change: self.hear(json.loads(change.new)), "value")

    def cost(self, state):
        length = state["tokens"].shape[1]  # each head is ablated; about three edges are cut at each query
        measured = (self.explorer.subject, True)  # effects of edges
        key = measured if self.computed == measured or self.measure == MEASURES[-1] else (measured[0], False)
        return key, self.explorer.passes + count_shown(state["model"]) * (1 + key[1] * length)

    def run(self, state):
        shown, n_heads = count_shown(state["model"]), round(2 * self.explorer.passes)
        off, name = len(state["ablated"]), self.told.get("ablated")
        text = "all heads on"
        if off == 1 and name:
            text += f". The orange bars are those without {name}"
        elif off:
            missing = (
                "several ablated heads" if off > 1 else "the ablation of a head that is not in the picture"
            )
            text += f". The bars do not show {missing}"
        if shown < n_heads:
            text += (
                f". The picture shows the {shown} of {n_heads} heads whose ablation changes the prediction after "
                "the last token most, at least one per layer"
            )
        return f"{text}. A head that you ablate in the picture becomes the only one ablated above"

    def arguments(self, view, state):
        chosen = (state["layer"], state["head"])
        chosen = None if chosen == self.all_but else chosen
        return super().arguments(view, state | dict(chosen=chosen, measure=self.measure))

    def draw(self, requested):
        """Draw the view, or if it is there, tell it what is chosen."""
        state = self.explorer.state()
        if self.shown is None or self.cost(state)[0] != self.computed:
            return super().draw(requested)
        self.tell(self.arguments(show_circuit, state))

    def show(self, state):
        self.tell(self.arguments(show_circuit, state))
        return super().show(state)

    def clear(self):
        super().clear()
        self.note.value = ""  # it is about the picture

    def tell(self, arguments):
        """Write for the view what is chosen; ``at`` is when it last told of a choice."""
        key, _ = self.cost(self.explorer.state())
        circuit = read_strongest(arguments["model"], arguments["tokens"], key[1])
        self.all_but = self.all_but if arguments["chosen"] is None else None
        self.told |= dict(
            position=arguments["position"],
            head=shown(circuit, arguments["chosen"]),
            ablated=only(circuit, arguments["ablated"]),
            measure=MEASURES.index(self.measure),
        )
        self.note.value = f"Run: {self.run(arguments)}."
        self.explorer.selection.value = json.dumps(self.told)

    def hear(self, choice):
        """Choose in the explorer what was chosen in this view, or in that of attention."""
        explorer, head = self.explorer, choice["head"]
        if not explorer.is_current():
            return
        layer, index = _head(head) if head else (explorer.layer.value, explorer.head.value)
        if "ablated" in choice:
            if choice["ablated"] != self.told["ablated"]:
                explorer.ablated = (_head(choice["ablated"]),) if choice["ablated"] else ()
            self.all_but = None if head else (layer, index)
            self.measure, self.told["at"] = MEASURES[choice["measure"]], choice["at"]
        explorer.choose(position=choice["position"], layer=layer, head=index)


class Memory(Panel):
    """The memory map, and the address that the chosen head reads."""

    title = "memory"
    view = staticmethod(show_memory)
    fields = ("right", "wrong")

    def make_controls(self):
        return dict(colour=dropdown("colour", ["norm", "logit difference"]))

    def arrange(self):
        for name in self.fields:
            used = self.controls["colour"].value == "logit difference"
            self.explorer.fields[name].layout.display = None if used else "none"


class LogitLens(Panel):
    """The logit lens at every position."""

    title = "logit lens"
    view = staticmethod(show_logit_lens)


class Patching(Panel):
    """The effects of all patches of a part, and the predictions under the chosen patch."""

    title = "patching"
    view = staticmethod(show_patch)
    fields = ("source", "right", "wrong")

    def __init__(self, explorer):
        super().__init__(explorer)
        self.grid, self.effects = Grid(self.click), None
        self.box.children = (*self.box.children[:4], self.grid.box, self.output)

    def make_controls(self):
        return dict(part=dropdown("patch", PARTS, "360px"))

    def cost(self, state):
        cfg, part = state["model"].cfg, self.controls["part"].value
        key = (self.explorer.subject, part, *(state[name] for name in self.fields))
        return key, cfg.n_layers / 2 * (state["tokens"].shape[1] if part == "resid" else cfg.n_heads)

    def run(self, state):
        text = "all heads on. A number is the logit difference after the last token under one patch: click it"
        if state["source"] == self.explorer.subject.prompt:
            text += ". Both texts are the same: change a word of the second text"
        if state["right"].strip() == state["wrong"].strip():
            text += ". Both answers are the same token: change one"
        return text

    def arrange(self):
        for name in self.fields:
            self.explorer.fields[name].layout.display = None

    def show(self, state):
        key, _ = self.cost(state)
        if self.effects is None or self.computed != key:
            self.effects = show_effects(**self.arguments(show_effects, state))
        self.fill(state)
        return super().show(state)

    def fill(self, state):
        """Write the effects into the grid and mark the chosen patch."""
        part, model = self.controls["part"].value, state["model"]
        n_layers, n_columns = self.effects.shape
        names = [f"head {head}" for head in range(n_columns)]
        self.grid.shape(n_layers, self.explorer.subject.words if part == "resid" else names, named=True)
        metric = logit_difference(model, state["right"], state["wrong"])
        before = metric(next_logits(model, state["tokens"], -1)[None]).item()
        texts = [[f"{value:.1f}" for value in row] for row in self.effects.tolist()]
        tooltips = [
            [f"layer {layer}, {name}: {before:+.2f} → {value:+.2f}" for name, value in zip(names, row)]
            for layer, row in enumerate(self.effects.tolist())
        ]
        self.grid.show(texts, tooltips, self.effects - before)
        index = state["head"] * n_columns // model.cfg.n_heads
        self.grid.mark(state["layer"], state["position"] if part == "resid" else index)

    def click(self, layer: int, index: int) -> None:
        """Choose a patch: a layer, and a position or a head."""
        if self.controls["part"].value == "resid":
            return self.explorer.choose(position=index, layer=layer)
        n_heads = self.explorer.subject.model.cfg.n_heads
        self.explorer.choose(layer=layer, head=index * n_heads // self.effects.shape[1])

    def code(self, state):
        effects = self.arguments(show_effects, state)
        return f"{view_code(show_effects, effects)}\n\n{super().code(state)}"

    def clear(self):
        super().clear()
        self.grid.clear()


class Steering(Panel):
    """Steering by a contrast of texts or by a word."""

    title = "steering"
    view = staticmethod(show_steering)

    def make_controls(self):
        kinds = {"difference of two kinds of text": "contrast", "a word in the unembedding": "word"}
        return dict(
            kind=dropdown("direction", kinds, "360px"),
            positive=_text_area("from", "He was happy and\nIt was a good day and"),
            negative=_text_area("minus", "He was angry and\nIt was a bad day and"),
            word=text_field("word", "garden"),
            strength=widgets.FloatSlider(
                value=0.8, min=-3, max=3, step=0.1, description="strength", continuous_update=False
            ),
        )

    def arguments(self, view, state):  # before layer 0, texts that end alike do not differ
        last = state["model"].cfg.n_layers - 1
        return super().arguments(view, state | dict(layer=min(max(1, state["layer"]), last)))

    def run(self, state):
        layer = self.arguments(self.view, state)["layer"]
        return f"all heads on. The direction is added before layer {layer}: that of “look at head”, at the earliest 1"

    def cost(self, state):
        values = (control.value for control in self.controls.values())
        return (
            self.explorer.subject,
            state["layer"],
            *values,
        ), 50  # two texts token by token, and eight prompts

    def arrange(self):
        for name in ("positive", "negative", "word"):
            used = (name == "word") == (self.controls["kind"].value == "word")
            self.controls[name].layout.display = None if used else "none"


def _head(name: str) -> tuple[int, int]:
    layer, head = name.split(".")
    return int(layer), int(head)


def _text_area(name: str, texts: str) -> widgets.Textarea:
    layout = widgets.Layout(width="300px", height="60px")
    return widgets.Textarea(texts, description=name, layout=layout, continuous_update=False)


PANELS = (Attention, CircuitPanel, Memory, LogitLens, Patching, Steering)
