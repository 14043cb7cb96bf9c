"""The answers in a learner's notebook: each exercise cell with the statements that it needs.

Nothing is executed. A statement is needed if the cell, or another needed statement, uses a name
that it binds: an import, a function, a constant, a model.
"""

import ast
import symtable
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from helpers.build.lesson_files import exercise_of
from helpers.exercises import all_exercises, number


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
    cells = {exercise_of(cell): place for place, cell in enumerate(notebook.cells)}
    cells.pop(None, None)
    statements = [(place, node) for place, cell in enumerate(notebook.cells) for node in _statements(cell)]
    return [
        Answer(id, notebook.cells[place].source, _needed(notebook.cells[place], statements, place))
        for id, place in sorted(cells.items(), key=lambda item: number(item[0]))
    ]


def exercises_of_lessons(notebook: NotebookNode) -> list[str]:
    """Return the ids of all exercises of the lessons that a notebook has exercises of."""
    lessons = {id.split(".")[0] for cell in notebook.cells if (id := exercise_of(cell))}
    return [exercise.id for exercise in all_exercises() if exercise.id.split(".")[0] in lessons]


def _statements(cell: NotebookNode) -> list[ast.stmt]:
    """Return the statements of a code cell, none for one that is not Python."""
    if cell.cell_type != "code":
        return []
    try:
        return ast.parse(TransformerManager().transform_cell(cell.source)).body
    except SyntaxError:
        return []


def _needed(cell: NotebookNode, statements: list[tuple[int, ast.stmt]], place: int) -> tuple[str, ...]:
    """Return the statements above a place of the notebook that a cell needs, in their order."""
    above = [(statement, set(_bound(statement))) for row, statement in statements if row < place]
    names, needed = set().union(*map(_used, _statements(cell))), []
    while True:
        found = [statement for statement, bound in above if bound & names or "*" in bound]
        if len(found) == len(needed):
            return tuple(map(ast.unparse, needed))
        needed = found
        names = names.union(*map(_used, needed))


def _used(statement: ast.stmt) -> set[str]:
    """Return the notebook's names that a statement reads, also in its functions."""
    tables, names = [symtable.symtable(ast.unparse(statement), "cell", "exec")], set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        is_module = table.get_type() == "module"
        symbols = [symbol for symbol in table.get_symbols() if symbol.is_referenced()]
        names |= {symbol.get_name() for symbol in symbols if is_module or symbol.is_global()}
    return names


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
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
