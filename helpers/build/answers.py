"""The answers in a learner's notebook: each exercise cell with the statements that it needs.

Nothing is executed. A statement is needed if it binds a name that the cell, or another needed
statement, uses, or if it changes what such a name stands for.
"""

import ast
import re
import symtable
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from helpers.exercises import all_exercises, number

MAGIC = re.compile(r"^%%(?:time|timeit|capture|prun)\b.*\n|^(\s*)%(?:time|timeit) +", re.MULTILINE)
LINE = re.compile(r"""^\s*@(?:\w+\.)*exercise\(\s*["']([\d.]+)["']""", re.MULTILINE)
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # what a cell's text may raise


@dataclass(frozen=True)
class Answer:
    """The exercise cell of a learner; ``context`` are the statements above that it needs."""

    id: str
    source: str
    context: tuple[str, ...] = ()

    as_dict = asdict


def answers_in(notebook: NotebookNode) -> list[Answer]:
    r"""Return the last answer to each exercise, in the order of the ids.

    >>> from nbformat.v4 import new_code_cell, new_notebook
    >>> cells = ["import torch; k = 3", '@exercise("0.3")\ndef score(p):\n    return torch.ones(2)']
    >>> answers_in(new_notebook(cells=[new_code_cell(cell) for cell in cells]))[0].context
    ('import torch',)
    """
    places = {id: place for place, cell in enumerate(notebook.cells) for id in exercises_of(cell)}
    statements = [(place, node) for place, cell in enumerate(notebook.cells) for node in _statements(cell)]
    answers = []
    for id in sorted(places, key=number):
        place = places[id]
        checks = (row for row in range(place, len(notebook.cells)) if "check(" in notebook.cells[row].source)
        end = next(checks, place)
        before = [node for row, node in statements if row <= end and row != place]
        source = notebook.cells[place].source
        answers.append(Answer(id, source, _needed(_statements(notebook.cells[place]), before)))
    return answers


def exercises_of(cell: NotebookNode) -> list[str]:
    """Return the ids of the exercises that a learner's cell answers."""
    if cell.cell_type != "code" or "exercise" not in cell.source:
        return []
    statements = _statements(cell)
    calls = [node for statement in statements for node in ast.walk(statement) if isinstance(node, ast.Call)]
    named = [call for call in calls if ast.unparse(call.func).split(".")[-1] == "exercise" and call.args]
    ids = [call.args[0].value for call in named if isinstance(call.args[0], ast.Constant)]
    if not statements:  # a cell that is half typed
        ids = LINE.findall(cell.source)
    known = {exercise.id for exercise in all_exercises()}
    return [id for id in ids if isinstance(id, str) and id in known]


def exercises_of_lessons(notebook: NotebookNode) -> list[str]:
    """Return the ids of all exercises of the lessons that a notebook has exercises of."""
    lessons = {id.split(".")[0] for cell in notebook.cells for id in exercises_of(cell)}
    return [exercise.id for exercise in all_exercises() if exercise.id.split(".")[0] in lessons]


def _statements(cell: NotebookNode) -> list[ast.stmt]:
    """Return the statements of a code cell, none for one that is not Python."""
    if cell.cell_type != "code":
        return []
    try:
        source = MAGIC.sub(r"\1", cell.source)
        return ast.parse(TransformerManager().transform_cell(source)).body
    except UNREADABLE:
        return []


def _needed(cell: list[ast.stmt], before: list[ast.stmt]) -> tuple[str, ...]:
    """Return those of the statements before a cell that it needs, in their order."""
    touched = [(statement, {*_bound(statement), *_changed(statement)}) for statement in before]
    names, needed = set().union(*map(_used, cell)), []
    while True:
        found = [statement for statement, touches in touched if touches & names or "*" in touches]
        if len(found) == len(needed):
            return tuple(filter(None, map(_source, needed)))
        needed = found
        names = names.union(*map(_used, needed))


def _source(statement: ast.stmt) -> str:
    """Return the source of a statement; empty for one that is nested too deeply."""
    try:
        return ast.unparse(statement)
    except UNREADABLE:
        return ""


def _used(statement: ast.stmt) -> set[str]:
    """Return the notebook's names that a statement reads, also in its functions."""
    try:
        tables, names = [symtable.symtable(_source(statement), "cell", "exec")], set()
    except UNREADABLE:
        return set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        is_module = table.get_type() == "module"
        names |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if (symbol.is_referenced() if is_module else symbol.is_global())
        }
    return names


def _changed(statement: ast.stmt) -> Iterator[str]:
    """Yield the names of what a statement changes in place: ``S[0] = 1``, ``S.append(1)``."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    for node in ast.walk(statement):
        stored = isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load)
        called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        base = node.value if stored else node.value.func if called else None
        if isinstance(base, ast.Attribute | ast.Subscript) and isinstance(base.value, ast.Name):
            yield base.value.id
        elif stored and isinstance(base, ast.Name):
            yield base.id


def _bound(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement binds in the notebook."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        return
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
