"""Stand-ins for packages that TransformerLens imports: what they serve, and when the package itself comes."""

import importlib
import subprocess
import sys

import pytest

from helpers import late_imports
from helpers.build.lesson_files import ROOT

LATE_PACKAGE = (
    "class Thing: size = 3\ndef make(*arguments): return Thing()\nclass Error(Exception): pass\nnumber = 1\n"
)
USES = {  # what the importer does with the package → whether stand-ins serve
    "def f(thing: Thing | None, other: None | Thing): pass": True,
    "from typing import Optional\ndef f(thing: Optional[Thing], all: list[Thing]): pass": True,
    "import late_package.part\ndef f(thing: late_package.part.Thing): pass": True,
    "class Mine(Thing): pass": False,
    "size = Thing.size": False,
    "one = make()": False,
    "two = late_package.number + 1": False,
    "@make\ndef f(): pass": False,
}
AFTER_ALL_IMPORTS = """
import sys, helpers.models, helpers.plots, helpers.exercises, helpers.attention_view, helpers.explorer
model = helpers.models.load_model("ioi-gpt2")
model(model.to_tokens("a text"))
late = {"datasets", "pandas", "pyarrow"}
assert not late & sys.modules.keys(), late & sys.modules.keys()

from transformer_lens import patching, utilities
assert patching.make_df_from_ranges([3, 2], ["layer", "head"]).shape == (6, 2)
import pandas
assert patching.pd.DataFrame is pandas.DataFrame
from datasets import Dataset
kept = utilities.keep_single_column(Dataset.from_dict({"a": [1], "b": [2]}), "a")
assert kept.column_names == ["a"] and isinstance(kept, utilities.hf_utils.Dataset)
"""


@pytest.fixture
def importer(tmp_path, monkeypatch):
    """Import a package that uses another one, with stand-ins for it."""
    finder = late_imports.LateImportsFinder()
    monkeypatch.setattr(late_imports, "IMPORTER", "importing_package")
    monkeypatch.setattr(late_imports, "LATE", ("late_package",))
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "late_package").mkdir()
    (tmp_path / "late_package/__init__.py").write_text(LATE_PACKAGE, encoding="utf-8")
    (tmp_path / "late_package/part.py").write_text(LATE_PACKAGE, encoding="utf-8")

    def imported(code: str):
        code = f"import late_package\nfrom late_package import part, Thing, make, Error\n{code}"
        (tmp_path / "importing_package.py").write_text(code, encoding="utf-8")
        return importlib.import_module("importing_package")

    yield imported
    for name in [name for name in sys.modules if name.split(".")[0] in ("importing_package", "late_package")]:
        del sys.modules[name]


@pytest.mark.parametrize(("use", "served"), USES.items())
def test_annotations_load_nothing_and_every_other_use_loads_the_package(importer, use, served):
    importer(use)
    assert ("late_package" not in sys.modules) == served


def test_what_was_taken_from_a_stand_in_is_that_of_the_package(importer):
    module = importer("")
    made = module.make()
    late_package = importlib.import_module("late_package")
    assert type(made) is late_package.Thing and isinstance(made, module.Thing)
    assert not isinstance(3, module.Thing) and module.Thing.size == 3
    assert module.late_package.Thing is late_package.Thing and issubclass(
        module.late_package.Error, Exception
    )
    assert module.part.Thing is late_package.part.Thing

    class Mine(module.Thing):
        pass

    assert Mine.__bases__ == (late_package.Thing,)


def test_a_package_that_is_loaded_stays_as_it_is(importer):
    late_package = importlib.import_module("late_package")
    assert importer("").Thing is late_package.Thing


def test_an_error_of_the_importer_and_a_missing_package_are_raised(importer, monkeypatch):
    with pytest.raises(ZeroDivisionError):
        importer("1 / 0")
    monkeypatch.setattr(late_imports, "LATE", ("late_package", "missing_package"))
    with pytest.raises(ModuleNotFoundError, match="missing_package"):
        importer("import missing_package")
    assert "late_package" not in sys.modules or sys.modules["late_package"].number == 1


def test_lessons_load_no_tables_and_transformer_lens_loads_them_when_it_needs_them():
    done = subprocess.run(
        [sys.executable, "-c", AFTER_ALL_IMPORTS], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
