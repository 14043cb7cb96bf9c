"""What the README promises: its commands, its table, its links."""

import re

import nbformat

from helpers.build.notebooks import ROOT, lessons
from helpers.exercises import all as all_exercises
from helpers.models import shipped

README = (ROOT / "README.md").read_text()


def test_the_table_of_lessons_is_that_of_the_notebooks():
    rows = re.findall(r"^\| \[.*?\]\(notebooks/(\S+?)\) \| (\d+) \| (\d+) \|", README, re.M)
    assert [row[0] for row in rows] == [path.name for path in lessons()]
    for (name, minutes, count), path in zip(rows, lessons()):
        number = int(name[:2])
        first = nbformat.read(path, as_version=4).cells[0].source
        assert f"about {minutes} minutes · {count} exercises" in first
        assert len([exercise for exercise in all_exercises() if exercise.id.startswith(f"{number}.")]) == int(
            count
        )


def test_links_and_pictures_are_there():
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_every_shipped_model_is_listed():
    assert all(f"(data/{name}/README.md)" in README for name in shipped())


def test_both_commands_are_single_lines_that_do_not_touch_the_systems_python():
    commands = [line for line in README.splitlines() if line.startswith("python3 ")]
    ends = ("jupyter lab notebooks/00_start_here.ipynb", "pytest -n 2 --dist loadfile")
    assert [line.rpartition(".venv/bin/")[2] for line in commands] == [*ends]
    assert all(
        line.startswith("python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/")
        for line in commands
    )


def test_the_top_level_holds_what_the_design_names():
    visible = {
        path.name for path in ROOT.iterdir() if not path.name.startswith(".") and path.name != "__pycache__"
    }
    assert visible == {"README.md", "requirements.txt", "LICENSE", "notebooks", "helpers", "tests", "data"}


def test_requirements_are_ranges_with_the_torch_of_colab_and_the_newest_tried():
    from importlib.metadata import version

    from packaging.requirements import Requirement

    lines = [
        line
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    requirements = {line.split("#")[0].strip(): line for line in lines}
    parsed = {Requirement(text).name: Requirement(text).specifier for text in requirements}
    assert {"2.11.0", "2.13.0"} <= set(parsed["torch"].filter(["2.10.0", "2.11.0", "2.13.0", "2.14.0"]))
    assert all(specifier.contains(version(name)) for name, specifier in parsed.items())
    assert all("#" in line for text, line in requirements.items() if "<" in text)
