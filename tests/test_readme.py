"""What the README promises: its commands, its tables, its links."""

import re
from importlib.metadata import version
from importlib.util import find_spec

from packaging.requirements import Requirement

from helpers.build.lesson_files import ROOT, lessons, read_lesson
from helpers.exercises import all_exercises
from helpers.models import shipped

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_lessons_is_that_of_the_notebooks():
    rows = re.findall(r"^\| \[.*?\]\(notebooks/(\S+?)\) \| (\d+) \| (\d+) \|", README, re.MULTILINE)
    assert [row[0] for row in rows] == [path.name for path in lessons()]
    for (name, minutes, count), path in zip(rows, lessons()):
        first = read_lesson(path).cells[0].source
        assert f"about {minutes} minutes · {count} exercises" in first
        ids = [exercise.id for exercise in all_exercises() if exercise.id.startswith(f"{int(name[:2])}.")]
        assert len(ids) == int(count)


def test_links_and_pictures_are_there():
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_every_path_of_the_contributing_guide_is_there():
    """Names in capitals, such as NAME, stand for the reader's own."""
    guide = README.partition("## Contributing")[2].partition("## Teaching")[0]
    paths = re.findall(r"(?<![/\w])(?:helpers|tests|notebooks|data)/[\w./]*", guide)
    missing = [path for path in paths if not re.search(r"[A-Z]{2}", path) and not (ROOT / path).exists()]
    assert len(paths) > 10 and missing == []
    modules = re.findall(r"python -m (helpers\.[\w.]+)", README)
    assert modules and all(find_spec(name) for name in modules)


def test_every_module_has_its_place_in_the_table():
    table = README.partition("| where | what |")[2].partition("\n\n")[0]
    modules = {
        path.name
        for path in (ROOT / "helpers").iterdir()
        if (path.suffix in (".py", ".js") and path.stem != "__init__") or (path / "__init__.py").exists()
    }
    named = set(re.findall(r"`(?:helpers/)?(\w+(?:\.py|\.js|/))`", table))
    assert modules <= {name.removesuffix("/") for name in named}


def test_every_shipped_model_is_listed():
    assert all(f"(data/{name}/README.md)" in README for name in shipped())


def test_both_commands_are_single_lines_that_do_not_touch_the_systems_python():
    commands = [line for line in README.splitlines() if line.startswith("python3 ")]
    ends = ("jupyter lab notebooks/00_start_here.ipynb", "pytest -n 2 --dist loadfile")
    assert [line.rpartition(".venv/bin/")[2] for line in commands] == [*ends]
    start = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/"
    assert all(line.startswith(start) for line in commands)


def test_the_top_level_holds_what_the_design_names():
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - {"__pycache__"}
    assert visible == {"README.md", "requirements.txt", "LICENSE", "notebooks", "helpers", "tests", "data"}


def test_requirements_are_ranges_with_the_torch_of_colab_and_the_newest_tried():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    requirements = {line.split("#")[0].strip(): line for line in lines}
    parsed = {Requirement(text).name: Requirement(text).specifier for text in requirements}
    assert {"2.11.0", "2.13.0"} <= set(parsed["torch"].filter(["2.10.0", "2.11.0", "2.13.0", "2.14.0"]))
    assert all(specifier.contains(version(name)) for name, specifier in parsed.items())
    assert all("#" in line for text, line in requirements.items() if "<" in text)
