"""Former names, as learners' own notebooks may import them."""

import importlib
import pkgutil

import pytest

from helpers import heads, moved
from helpers.moved import MOVED

# what the lessons imported when the modules had other names
OLD_IMPORTS = {
    "helpers": "views",
    "helpers.circuits": "copying_accuracy copying_score full_OV previous_position_weight",
    "helpers.colab": "install_missing",
    "helpers.composition": "composition_scores cut_path path_cut port_scores",
    "helpers.exercises": "check exercise hint progress solution",
    "helpers.explorer": "Explorer",
    "helpers.heads": "current_token_score first_token_score induction_score previous_token_score repeated_tokens",
    "helpers.ioi": "NAMES OBJECTS Prompts UNSEEN alike corrupted end_attention one_token_each prompts single_token",
    "helpers.line": "read_line swapped",
    "helpers.models": "DATA checkpoints load_model",
    "helpers.neurons": "agreement label_shares",
    "helpers.patching": "bootstrap head_means keep_only patch_heads patch_mlp patch_residual path_patch",
    "helpers.planted": "Layout current_token_head distinct_repeated duplicate_token_head empty_head first_token_head planted_model",
    "helpers.plots": "arrows attention attention_slider bars diagram grouped_bars heatmap lines memory redraw scatter",
    "helpers.residual": "decompose dimensions parts_read spectrum",
    "helpers.shortformer": "wrap",
    "helpers.steering": "side_effects write",
    "helpers.trace": "address_trace",
    "helpers.training": "superposition symbolic",
    "helpers.training.live": "small_model train",
    "helpers.training.stories": "TRADES WOMEN stories",
    "helpers.views": "attention_heads colored_tokens",
}


def import_error(module, name):
    """The message of the error that an import raises, or None."""
    try:
        exec(f"from {module} import {name}", {})
    except ImportError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in OLD_IMPORTS.items() for name in names.split()]
)
def test_an_old_import_works_or_says_where_the_thing_is(module, name):
    former = module if module in MOVED else f"{module}.{name}"
    sentence = f"{former} is {MOVED[former]}: import it from there." if former in MOVED else None
    assert import_error(module, name) in (None, sentence)


@pytest.mark.parametrize(("former", "place"), MOVED.items())
def test_every_place_exists_and_no_former_name_does(former, place):
    pkgutil.resolve_name(place)
    module, _, name = former.rpartition(".")
    assert import_error(module, name) == f"{former} is {place}: import it from there."


def test_a_module_that_is_gone_names_the_place_at_first_use():
    views = importlib.import_module("helpers.views")
    with pytest.raises(ImportError, match="helpers.views.line is helpers.line_view.line_view"):
        views.line()


def test_an_unknown_name_is_an_ordinary_error():
    assert not hasattr(heads, "no_such_score")
    with pytest.raises(ImportError, match="cannot import name 'no_such_score' from 'helpers.heads'"):
        exec("from helpers.heads import no_such_score", {})
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("helpers.training.no_such_module")


def test_a_module_that_names_have_left_keeps_its_own_loader():
    assert heads.__loader__.get_source("helpers.heads").startswith('"""')
    assert heads.__getattr__.func is moved._missing
