"""Circuit golf: as few heads at positions as possible that still do a behaviour.

A circuit maps labels of positions to heads, ``{"END": [(23, 0)], "S2": [(17, 4), (8, 1)]}``. A head
at a position counts 1. Everywhere else the z of a head is replaced by its mean over the corrupted
prompts of the same template; MLPs compute from what they then read (Wang et al. 2022, section 4).
The mean belongs to the template and not to the prompt, so it carries nothing about the answer.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.ablation import fraction_recovered, group_means
from helpers.behaviours import BehaviourPrompts
from helpers.forward import Forward
from helpers.models import DATA
from helpers.run import LogitDiff
from helpers.statistics import bootstrap_ratio

PAR = 0.8  # the faithfulness on hidden prompts at which a circuit passes
KNOWN = DATA / "smollm2-135m" / "golf.json"


def cell_faithfulness(
    circuit: Float[Tensor, " prompt"],
    nothing: Float[Tensor, " prompt"],
    full: Float[Tensor, " prompt"],
    cell: Int[Tensor, " prompt"],
) -> Float[Tensor, ""]:
    """Faithfulness in which the errors of two cells of prompts do not cancel.

    1 - Σ |circuit - full| / Σ |full - nothing|  over cells, each value the mean of a cell. It is 0
    with every head replaced and 1 with none. A cell with 120 % counts like one with 80 %.

    >>> nothing, full, cell = torch.zeros(2), torch.ones(2), torch.tensor([0, 1])
    >>> cell_faithfulness(torch.tensor([1.5, 0.5]), nothing, full, cell)
    tensor(0.5000)
    """
    masks = [cell == number for number in cell.unique()]
    by_cell = [torch.stack([x[mask].mean() for mask in masks]) for x in (circuit, nothing, full)]
    circuit, nothing, full = by_cell
    return 1 - (circuit - full).abs().sum() / (full - nothing).abs().sum()


@dataclass(frozen=True)
class Score:
    """What a circuit reaches on the prompts of a course."""

    size: int
    faithfulness: float  # ``cell_faithfulness``
    low: float  # ends of its interval over templates
    high: float
    variants: dict[str, float]  # fraction of the full model's effect, e.g. in ABBA and in BABA

    @property
    def passed(self) -> bool:
        """True at 80 % faithfulness or more."""
        return self.faithfulness >= PAR

    @property
    def percent(self) -> str:
        """Faithfulness in whole percent, rounded down: what does not pass does not read 80 %."""
        is_finite = math.isfinite(self.faithfulness)
        return f"{math.floor(100 * self.faithfulness + 1e-6)}%" if is_finite else str(self.faithfulness)

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {value:.0%}" for name, value in self.variants.items() if name)
        return f"size {self.size:4}, faithfulness {self.percent:>4} ({self.low:.0%} to {self.high:.0%})" + (
            f"; {parts}" if parts else ""
        )


class Course:
    """The prompts of a behaviour, and what every circuit is compared with on them.

    >>> from helpers.behaviours import behaviour_prompts
    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-2l")
    >>> course = Course(model, behaviour_prompts(model.tokenizer, "ioi"))
    >>> course.score({}).faithfulness
    0.0
    """

    @torch.no_grad()
    def __init__(self, model: TransformerBridge, prompts: BehaviourPrompts):
        self.prompts, self.forward = prompts, Forward(model)
        self.shape = (model.cfg.n_layers, model.cfg.n_heads, len(prompts.positions))
        base = self.forward.run(prompts.tokens.to(model.cfg.device))
        unused = {name: [] for name in ("resid_mid", "q", "k", "v", "z", "mlp_out", "compared_k")}
        self.base = replace(base, resid_pre=base.resid_pre[:1], **unused)
        corrupted = self.forward.run(prompts.corrupted.to(model.cfg.device))
        self.replacement = [group_means(z, prompts.template) for z in corrupted.z]
        self.metric = LogitDiff(prompts.right, prompts.wrong)
        end = base.resid_pre[-1]
        self.full = self.forward.finish(end, self.forward.end, self.base, self.metric)[0].cpu()
        self.nothing = self.kept(torch.zeros(self.shape))

    def kept(self, keep: Float[Tensor, "layer head label"]) -> Float[Tensor, " prompt"]:
        """Logit difference with the heads kept that ``keep`` marks with 1; others are replaced."""
        length = self.prompts.tokens.shape[1]
        places = torch.stack(list(self.prompts.positions.values()))  # [label prompt]
        at_place = torch.nn.functional.one_hot(places, length).to(keep)  # [label prompt pos]
        by_position = torch.einsum("ahl,lnp->anph", keep, at_place).to(self.base.tokens.device)

        def replaced(z, layer):
            mean = self.replacement[layer]
            return mean + by_position[layer, ..., None] * (z - mean)

        x = self.forward.end_under(replaced, self.base.resid_pre[0], self.base)
        return self.forward.finish(x, self.forward.end, self.base, self.metric)[0].cpu()

    @torch.no_grad()
    def score(self, circuit: object) -> Score:
        """Size and faithfulness of a circuit; raises ``ValueError`` for what is not a circuit."""
        keep = self.mask(circuit)
        return self.score_of(self.kept(keep), int(keep.sum()))

    def score_of(self, kept: Float[Tensor, " prompt"], size: int) -> Score:
        """Score of a circuit of some size from its logit differences."""
        cell, template = self.prompts.cell, self.prompts.template
        masks = [cell == number for number in cell.unique()]
        gap = torch.stack([(kept - self.full)[mask].mean().abs() for mask in masks])
        effect = torch.stack([(self.full - self.nothing)[mask].mean().abs() for mask in masks])
        low, high = bootstrap_ratio(gap, effect, torch.stack([template[mask][0] for mask in masks]))
        variants = {}
        for name in dict.fromkeys(self.prompts.variants):
            rows = torch.tensor([variant == name for variant in self.prompts.variants])
            variants[name] = fraction_recovered(kept[rows], self.nothing[rows], self.full[rows]).item()
        faithfulness = cell_faithfulness(kept, self.nothing, self.full, cell).item()
        return Score(size, faithfulness, 1 - high, 1 - low, variants)

    def mask(self, circuit: object) -> Float[Tensor, "layer head label"]:
        """Mask of a circuit; raises ``ValueError`` for what is not a circuit of this behaviour."""
        labels, (n_layers, n_heads, _) = list(self.prompts.positions), self.shape
        if not isinstance(circuit, Mapping):
            raise ValueError(
                f"expected a circuit {{label: [(layer, head), …]}}, got {type(circuit).__name__}."
            )
        keep = torch.zeros(self.shape)
        for label, heads in circuit.items():
            if label not in labels:
                raise ValueError(f"expected positions among {', '.join(labels)}, got {label!r}.")
            for layer, head in _pairs(heads, label):
                if not (0 <= layer < n_layers and 0 <= head < n_heads):
                    raise ValueError(
                        f"expected layers 0 to {n_layers - 1} and heads 0 to {n_heads - 1}, "
                        f"got ({layer}, {head}) at {label!r}."
                    )
                if keep[layer, head, labels.index(label)]:
                    raise ValueError(
                        f"expected each head once per position, got ({layer}, {head}) twice at {label!r}."
                    )
                keep[layer, head, labels.index(label)] = 1
        return keep

    def circuit(self, keep: Float[Tensor, "layer head label"]) -> dict[str, list[tuple[int, int]]]:
        """Circuit of a mask: the inverse of ``mask``."""
        by_label = {
            label: [(layer, head) for layer, head in keep[..., number].nonzero().tolist()]
            for number, label in enumerate(self.prompts.positions)
        }
        return {label: heads for label, heads in by_label.items() if heads}

    def attribution(self, keep: Float[Tensor, "layer head label"]) -> Float[Tensor, "layer head label"]:
        """Gradient of the mean logit difference by each entry of a mask.

        To first order: what replacing this head at this position would cost. One forward and one
        backward pass (attribution patching, Nanda 2023; Syed et al. 2023).
        """
        keep = keep.clone().requires_grad_()
        return torch.autograd.grad(self.kept(keep).mean(), keep)[0]


def _pairs(heads: object, label: str) -> list[tuple[int, int]]:
    """The heads of a label as pairs of integers; raise ``ValueError`` for anything else."""
    try:
        pairs = [(layer.__index__(), head.__index__()) for layer, head in heads]  # type: ignore[attr-defined]
    except (TypeError, ValueError, AttributeError):
        raise ValueError(
            f"expected a list of pairs at {label!r}, such as [(23, 0)] for head 23.0, got {repr(heads)[:80]}."
        ) from None
    return pairs


def greedy_circuit(course: Course, floor: float = PAR) -> dict[str, list[tuple[int, int]]]:
    """The head-positions of largest attribution that reach ``floor``, then pruned.

    The number that are kept doubles until they reach ``floor``. Then half of them go, those of
    smallest attribution in the circuit itself, if the rest still reaches ``floor``; else a quarter
    of them, and so on until the smallest one cannot go alone.

    >>> from helpers.behaviours import behaviour_prompts
    >>> from helpers.models import load_model
    >>> model = load_model("attn-only-2l")
    >>> course = Course(model, behaviour_prompts(model.tokenizer, "ioi"))
    >>> course.score(greedy_circuit(course, floor=0.5)).faithfulness >= 0.5
    True
    """

    def smallest_first(keep: Tensor) -> Tensor:
        return course.attribution(keep).abs().masked_fill(keep == 0, torch.inf).flatten().argsort()

    def reaches(keep: Tensor) -> bool:
        with torch.no_grad():
            return course.score_of(course.kept(keep), int(keep.sum())).faithfulness >= floor

    def without(keep: Tensor, dropped: Tensor) -> Tensor:
        return keep.flatten().index_fill(0, dropped, 0).view(keep.shape)

    ones, size = torch.ones(course.shape), 16
    order = smallest_first(ones)
    while size < ones.numel() and not reaches(without(ones, order[:-size])):
        size *= 2
    keep, fraction = without(ones, order[:-size]), 0.5
    order = smallest_first(keep)
    while count := int(fraction * keep.sum()):
        fewer = without(keep, order[:count])
        if reaches(fewer):
            keep, order = fewer, smallest_first(fewer)
        else:
            fraction /= 2
    return course.circuit(keep)


def known_circuits(name: str) -> dict[str, dict[str, list[tuple[int, int]]]]:
    """Stored circuits of SmolLM2-135M for a behaviour: "greedy" and "best".

    "greedy" is the ``greedy_circuit`` on the visible prompts. "best" is the smallest that is known.
    Most were searched on visible and hidden prompts, with the gradient of the score: heads joined
    that raise it most, then those left that lower it least.

    >>> sorted(known_circuits("ioi"))
    ['best', 'greedy']
    """
    stored = json.loads(KNOWN.read_text(encoding="utf-8"))[name]
    return {
        kind: {label: [(layer, head) for layer, head in heads] for label, heads in circuit.items()}
        for kind, circuit in stored.items()
    }
