"""Names that a lesson's cells share: a cell that runs again must find what it found the first time.

python -m tests.names 02     # cells that read a name which other cells bind, too
"""

import ast
import builtins
import sys

from helpers.build.lesson_files import lessons, read_lesson


class _Names(ast.NodeVisitor):
    """What a cell binds, and what it reads before it binds it."""

    def __init__(self, source: str):
        self.bound, self.read = set(), set()
        self.visit(ast.parse(source))

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._reads(node.id)
        else:
            self.bound.add(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        for part in (node.value, *node.targets):
            self.visit(part)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._reads(node.target.id)
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        for part in (node.iter, node.target, *node.body, *node.orelse):
            self.visit(part)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            self.visit(part) if part else None
        self._inside(
            node.body, {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        )
        self.bound.add(node.name)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._inside(
            [node.body], {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        )

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.bound |= {(name.asname or name.name).split(".")[0] for name in node.names}

    visit_ImportFrom = visit_Import

    def _comprehension(self, node) -> None:
        own = {
            name.id
            for part in node.generators
            for name in ast.walk(part.target)
            if isinstance(name, ast.Name)
        }
        self._inside(list(ast.iter_child_nodes(node)), own)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _inside(self, nodes: list[ast.AST], own: set[str]) -> None:
        """Count what an inner scope reads from outside."""
        names = [name for node in nodes for name in ast.walk(node) if isinstance(name, ast.Name)]
        own |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
        own |= {name.arg for node in nodes for name in ast.walk(node) if isinstance(name, ast.arg)}
        for name in names:
            if name.id not in own:
                self._reads(name.id)

    def _reads(self, name: str) -> None:
        if name not in self.bound and not hasattr(builtins, name):
            self.read.add(name)


def shared_names(cells: list) -> list[tuple[str, str, list[str]]]:
    """Return (cell, name, binders) where a cell reads a name that another cell, beside the first, binds."""
    names = {
        cell.id: _Names(cell.source) for cell in cells if cell.cell_type == "code" and cell.id != "set-up"
    }
    found = []
    for reader, its in names.items():
        for name in sorted(its.read):
            binders = [cell for cell, theirs in names.items() if name in theirs.bound]
            if len(binders) > 1:
                found.append((reader, name, binders))
    return found


if __name__ == "__main__":
    for path in lessons():
        if not sys.argv[1:] or path.stem[:2] in sys.argv[1:]:
            for reader, name, binders in shared_names(read_lesson(path).cells):
                print(f"{path.stem[:2]} {reader} reads {name}, bound in {', '.join(binders)}")
