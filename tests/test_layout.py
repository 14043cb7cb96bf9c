"""The rules of the layout: who imports whom, types, sizes, a test file per module, an example per function."""

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from helpers.build.lesson_files import ROOT, lessons, read_lesson

MAX_LINES = 300
MODULES = sorted((ROOT / "helpers").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
WITHOUT_EXAMPLE = {"helpers.frames.redraw": "replaces what a front end shows; its text holds terminal codes"}
COVERED_BY = {  # modules without a test file of their own: pattern → test file, reason
    "exercises/lesson_*": ("test_answers.py", "wrong and right answers to every exercise"),
    "exercises/inputs.py": ("test_answers.py", "every check calls it"),
    "explorer/*": ("test_explorer.py", "panels are driven through the page that holds them"),
    "build/site/*": ("test_build_site.py", "the modules make one site"),
    "build/exercise_map.py": ("test_index.py", "beside the rest of the index"),
    "build/model_cards.py": ("test_model_facts.py", "compares the cards with the weights"),
}


def run(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_go_downwards_only():
    run(Path(sys.executable).with_name("lint-imports"), "--no-cache", ".importlinter")


def test_types():
    run(sys.executable, "-m", "pyrefly", "check", "--python-interpreter-path", sys.executable, "helpers")


def test_modules_are_short():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def own_test_files(module: Path) -> set[str]:
    """The names that a module's test file may have, with and without that of its package."""
    return {f"test_{'_'.join(module.with_suffix('').parts)}.py", f"test_{module.stem}.py"}


def test_every_module_has_a_test_file():
    modules = [path.relative_to(ROOT / "helpers") for path in MODULES if path.name != "__init__.py"]
    names = {path.name for path in TESTS}
    without = [module for module in modules if not own_test_files(module) & names]
    pattern_of = {
        module: next((pattern for pattern in COVERED_BY if fnmatch(module.as_posix(), pattern)), None)
        for module in without
    }
    missing = [str(module) for module, pattern in pattern_of.items() if not pattern]
    assert not missing, "\n".join(missing)
    assert set(pattern_of.values()) == COVERED_BY.keys()
    assert names >= {file for file, _ in COVERED_BY.values()}


def imported_names(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Module and name of every ``from … import``, and of every attribute of what was imported so."""
    nodes, modules = list(ast.walk(tree)), {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield node.module, alias.name
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield modules[node.value.id], node.attr


def imports_of(path: Path) -> list[tuple[str, str]]:
    return list(imported_names(ast.parse(path.read_text(encoding="utf-8"))))


def test_no_module_uses_a_private_name_of_another():
    private = [
        f"{path.relative_to(ROOT)}: {module}.{name}"
        for path in MODULES
        for module, name in imports_of(path)
        if name.startswith("_") and not name.startswith("__")
    ]
    assert not private, "\n".join(private)


def test_no_test_file_imports_from_another():
    """What several of them share stands in conftest.py or in a module that is no test file."""
    names = [
        f"{path.relative_to(ROOT)}: {module}.{name}"
        for path in TESTS
        for module, name in imports_of(path)
        if module.startswith("tests.test_") or (module == "tests" and name.startswith("test_"))
    ]
    assert not names, "\n".join(names)


def functions_of_lessons() -> dict[str, Callable]:
    """The functions of the package that lessons use, by their full names."""
    functions = {}
    for path in lessons():
        code = "\n".join(cell.source for cell in read_lesson(path).cells if cell.cell_type == "code")
        for module, name in imported_names(ast.parse(code)):
            is_module = module.startswith("helpers") and importlib.util.find_spec(module)
            value = getattr(importlib.import_module(module), name, None) if is_module else None
            if inspect.isfunction(inspect.unwrap(value)):
                functions[f"{value.__module__}.{value.__name__}"] = value
    return functions


def test_every_function_that_a_lesson_imports_has_an_example():
    functions = functions_of_lessons()
    without = [name for name, function in functions.items() if ">>> " not in (function.__doc__ or "")]
    without = [name for name in without if name not in WITHOUT_EXAMPLE]
    assert len(functions) > 60
    assert not without, "\n".join(without)
