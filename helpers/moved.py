"""Former names: importing one raises ``ImportError`` with a sentence that says where the thing is.

A learner's own notebook may import names that have another home. ``helpers`` installs the finder
below, so the modules that these names have left need no code for them.
"""

import functools
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "helpers.ablation.bootstrap": "helpers.statistics.bootstrap",
    "helpers.ablation.head_hooks": "helpers.hooks.replace_z_hooks",
    "helpers.ablation.known": "helpers.components.check_heads",
    "helpers.ablation.replaced": "helpers.ablation.ablate_z",
    "helpers.ablation.share_kept": "helpers.ablation.fraction_recovered",
    "helpers.ablation.without_path": "helpers.ablation.keys_without_path",
    "helpers.circuits.copying_score": "helpers.circuits.eigenvalue_copying_score",
    "helpers.circuits.eigenvalue_share": "helpers.circuits.eigenvalue_copying_score",
    "helpers.circuits.split_scores": "helpers.circuits.scores_by_component",
    "helpers.colab.install_missing": "helpers.environment.check_environment",
    "helpers.composition.cut_path": "helpers.ablation.score_with_path_cut",
    "helpers.composition.path_cut": "helpers.hooks.cut_path_hooks",
    "helpers.composition.project_out": "helpers.residual.project_out",
    "helpers.composition.rank_correlation": "helpers.statistics.rank_correlation",
    "helpers.heads.in_context_score": "helpers.sequences.in_context_score",
    "helpers.heads.loss_by_position": "helpers.sequences.loss_by_position",
    "helpers.heads.phase_change": "helpers.sequences.phase_change",
    "helpers.heads.repeated_sequences": "helpers.sequences.repeated_sequences",
    "helpers.heads.repeated_tokens": "helpers.sequences.repeated_tokens",
    "helpers.heads.second_copy_gain": "helpers.sequences.second_copy_gain",
    "helpers.ioi.ACTIONS": "helpers.stories.ACTIONS",
    "helpers.ioi.EVENTS": "helpers.stories.EVENTS",
    "helpers.ioi.EVENT_OF": "helpers.ioi.TEMPLATE_EVENTS",
    "helpers.ioi.UNSEEN": "helpers.ioi.UNSEEN_TEMPLATES",
    "helpers.ioi.alike": "helpers.ioi.equal_length_templates",
    "helpers.ioi.copy_score": "helpers.ioi.name_copy_score",
    "helpers.ioi.copy_scores": "helpers.ioi.name_copy_scores",
    "helpers.ioi.one_token_each": "helpers.ioi.single_token_words",
    "helpers.ioi.prompts": "helpers.ioi.make_prompts",
    "helpers.line.swapped": "helpers.hooks.patch_hooks",
    "helpers.neurons.label_shares": "helpers.neurons.label_fractions",
    "helpers.neurons.memories": "helpers.neurons.neuron_outputs",
    "helpers.notebooks": "helpers.build.notebooks",
    "helpers.patching.bootstrap": "helpers.statistics.bootstrap",
    "helpers.patching.head_means": "helpers.ablation.head_means",
    "helpers.patching.keep_only": "helpers.ablation.keep_only",
    "helpers.planted.Head": "helpers.planted.HeadWeights",
    "helpers.plots.THEME": "helpers.theme.TEMPLATE",
    "helpers.plots.attention": "helpers.heatmaps.attention",
    "helpers.plots.attention_slider": "helpers.frames.play",
    "helpers.plots.diagram": "helpers.circuit_diagram.circuit_diagram",
    "helpers.plots.grouped_bars": "helpers.plots.dots",
    "helpers.plots.heatmap": "helpers.heatmaps.heatmap",
    "helpers.plots.memory": "helpers.heatmaps.memory_map",
    "helpers.plots.memory_map": "helpers.heatmaps.memory_map",
    "helpers.plots.redraw": "helpers.frames.redraw",
    "helpers.residual.head_contributions": "helpers.residual.head_logit_attribution",
    "helpers.residual.head_stores": "helpers.residual.head_outputs",
    "helpers.residual.held_out_share": "helpers.residual.held_out_fraction",
    "helpers.residual.parts_read": "helpers.residual.components_read",
    "helpers.residual.writes_against": "helpers.residual.cosine_and_norm_change",
    "helpers.steering.divergence": "helpers.steering.kl_divergence",
    "helpers.steering.write": "helpers.steering.generate",
    "helpers.trace.memory": "helpers.trace.component_sizes",
    "helpers.training.__main__": "helpers.build.train",
    "helpers.training.attn_only": "helpers.build.attn_only",
    "helpers.training.card": "helpers.build.model_cards",
    "helpers.training.corpus": "helpers.build.corpus",
    "helpers.training.facts": "helpers.build.model_facts",
    "helpers.training.gpt2": "helpers.build.gpt2",
    "helpers.training.live": "helpers.toys.induction",
    "helpers.training.loop": "helpers.build.loop",
    "helpers.training.stories": "helpers.stories",
    "helpers.training.superposition": "helpers.toys.superposition",
    "helpers.training.symbolic": "helpers.toys.symbolic_ioi",
    "helpers.views.attention_heads": "helpers.attention_view.attention_heads",
    "helpers.views.attention_pattern": "helpers.attention_view.attention_pattern",
    "helpers.views.colored_tokens": "helpers.attention_view.colored_tokens",
    "helpers.views.line": "helpers.line_view.line_view",
}
_FORMER_HOMES = {name.rpartition(".")[0] for name in MOVED}


class MovedNamesFinder(MetaPathFinder):
    """Import hook for moved modules and for modules that names have left, present or gone."""

    def find_spec(self, fullname, path=None, target=None) -> ModuleSpec | None:
        """Raise for a moved module; add ``__getattr__`` to a module that names have left."""
        if fullname in MOVED:
            raise ImportError(_sentence(fullname))
        if fullname not in _FORMER_HOMES:
            return None
        other_finders = sys.meta_path[sys.meta_path.index(self) + 1 :]
        specs = (finder.find_spec(fullname, path, target) for finder in other_finders)
        spec = next((spec for spec in specs if spec and spec.origin), None)
        if spec is None:  # the module is gone; a folder without code has no origin
            return ModuleSpec(fullname, _Loader(None), is_package=True)
        spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    """Runs a module's own code, if it has any, and makes its former names raise."""

    def __init__(self, own: Loader | None):
        self._own = own

    def exec_module(self, module: ModuleType) -> None:
        if self._own:
            self._own.exec_module(module)
        module.__getattr__ = functools.partial(_missing, module.__name__)

    def __getattr__(self, name: str):
        return getattr(self._own, name)


def _missing(module: str, name: str):
    """Raise the error for a name that a module lacks."""
    former = f"{module}.{name}"
    if former in MOVED:
        raise ImportError(_sentence(former))
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def _sentence(former: str) -> str:
    return f"{former} is {MOVED[former]}: import it from there."
