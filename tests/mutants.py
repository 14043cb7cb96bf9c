"""Mutants of the references: each has one small fault, and its check should reject it.

    python -m tests.mutants              # every exercise: made, rejected, equivalent, accepted; then the accepted ones
    python -m tests.mutants 2.9 lesson_05

A mutant that the check accepts is a missing test case, or gives what the reference gives. The latter stand in
``tests/equivalents/lesson_NN*.toml`` with a reason, under the text that this command prints.
"""

import ast
import copy
import functools
import inspect
import itertools
import os
import sys
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from helpers import exercises
from helpers.exercises.engine import Exercise

EQUIVALENTS = Path(__file__).parent / "equivalents"
LEAST_CONTEXT = 16  # characters of code around a fault that a description shows
OPERATORS = {
    ast.Add: [ast.Sub], ast.Sub: [ast.Add], ast.Mult: [ast.Div, ast.Add], ast.Div: [ast.Mult], ast.Pow: [ast.Mult],
    ast.FloorDiv: [ast.Mult], ast.BitAnd: [ast.BitOr], ast.BitOr: [ast.BitAnd], ast.And: [ast.Or], ast.Or: [ast.And],
    ast.Lt: [ast.LtE, ast.Gt], ast.LtE: [ast.Lt, ast.GtE], ast.Gt: [ast.GtE, ast.Lt], ast.GtE: [ast.Gt, ast.LtE],
    ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.In: [ast.NotIn], ast.NotIn: [ast.In],
}  # fmt: skip
NAMES = {
    name: other
    for pair in ("max min", "amax amin", "argmax argmin", "triu tril", "ones zeros", "sum mean", "mean sum", "std var",
                 "softmax log_softmax", "cumsum cumprod", "ones_like zeros_like", "exp expm1", "log log2", "zip enumerate")
    for name, other in (pair.split(), pair.split()[::-1])
}  # fmt: skip
NAMES["mean"] = NAMES["norm"] = "sum"


@dataclass(frozen=True)
class Mutant:
    """A reference with one fault: its exercise, what was changed, and its source."""

    exercise: Exercise
    change: str
    source: str

    def function(self) -> Callable:
        namespace = dict(vars(inspect.getmodule(self.exercise.reference)))
        exec(compile(self.source, f"<mutant of {self.exercise.id}>", "exec"), namespace)
        return namespace[self.exercise.name]


def mutants(exercise: Exercise) -> list[Mutant]:
    """Return every mutant of an exercise's reference, each with another source."""
    tree = ast.parse(_source(exercise))
    made, seen = [], {ast.unparse(tree)}
    changes: dict[str, int] = {}
    for place in range(sum(1 for _ in ast.walk(tree))):
        for number in itertools.count():
            mutated = copy.deepcopy(tree)
            before, after, at = _mutate(mutated, place, number)
            if at is None:
                break
            source = ast.unparse(ast.fix_missing_locations(mutated))
            if source in seen:
                continue
            seen.add(source)
            change = f"{before} → {after}"
            changes[change] = changes.get(change, 0) + 1
            if changes[change] > 1:
                change += f" ({changes[change]})"
            made.append(Mutant(exercise, change, source))
    return made


def _source(exercise: Exercise) -> str:
    """Return what the reference computes, after its parts: no docstring, annotation or check of inputs."""
    tree = ast.parse(exercise.solution())
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            function.returns, function.decorator_list = None, []
            for argument in function.args.args + function.args.kwonlyargs:
                argument.annotation = None
            if ast.get_docstring(function) is not None:
                function.body = function.body[1:]
            function.body = [statement for statement in function.body if not _is_guard(statement)] or [
                ast.Pass()
            ]
    return ast.unparse(tree)


def _is_guard(statement: ast.stmt) -> bool:
    """Return True for ``if …: raise …``, which no exercise asks for."""
    return isinstance(statement, ast.If) and isinstance(statement.body[-1], ast.Raise)


def _mutate(tree: ast.Module, place: int, number: int) -> tuple[str, str, ast.AST | None]:
    """Make fault ``number`` at node ``place`` of a tree; return the code before and after, and the node."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    node = next(itertools.islice(ast.walk(tree), place, None))
    parameters = [name.arg for name in ast.walk(tree) if isinstance(name, ast.arg)]
    fault = next(itertools.islice(faults(node, parents.get(node), parameters), number, None), None)
    if fault is None:
        return "", "", None
    shown = node
    if isinstance(node, ast.FunctionDef):
        before = [ast.unparse(statement) for statement in node.body]
        fault()
        dropped = next(text for text, statement in zip(before, node.body) if text != ast.unparse(statement))
        return " ".join(dropped.split()), "(left out)", node
    while len(ast.unparse(shown)) < LEAST_CONTEXT and isinstance(
        parents[shown], ast.expr | ast.keyword | ast.slice
    ):
        shown = parents[shown]
    before, holder = ast.unparse(shown), parents[shown]
    where = next(
        (name, index)
        for name, value in ast.iter_fields(holder)
        for index, child in enumerate(value if isinstance(value, list) else [value])
        if child is shown
    )
    fault()
    value = getattr(holder, where[0])
    value = value if isinstance(value, list) else [value]
    after = ast.unparse(value[where[1]]) if len(value) > where[1] and value[where[1]] is not None else ""
    return " ".join(before.split()), " ".join(after.split()), node


def faults(node: ast.AST, parent: ast.AST | None, parameters: list[str]) -> Iterator[Callable[[], None]]:
    """Yield functions that each make one fault at a node."""
    replace = functools.partial(_replace, parent, node)
    match node:
        case ast.BinOp(left, op, right):
            for other in OPERATORS.get(type(op), []):
                yield functools.partial(setattr, node, "op", other())
            if isinstance(op, ast.Sub | ast.Div | ast.MatMult | ast.Pow | ast.Mod):
                yield lambda: (setattr(node, "left", right), setattr(node, "right", left))
            yield functools.partial(replace, left)
            yield functools.partial(replace, right)
        case ast.UnaryOp(ast.USub() | ast.Invert() | ast.Not(), operand):
            yield functools.partial(replace, operand)
        case ast.Compare(ops=[op], left=left, comparators=[right]):
            for other in OPERATORS.get(type(op), []):
                yield functools.partial(setattr, node, "ops", [other()])
        case ast.BoolOp(op):
            yield functools.partial(setattr, node, "op", OPERATORS[type(op)][0]())
        case ast.Constant(bool() as value):
            yield functools.partial(setattr, node, "value", not value)
        case ast.Constant(int() | float() as value):
            for other in (value + 1, value - 1, 2 * value if isinstance(value, float) else 0):
                yield functools.partial(setattr, node, "value", other)
        case ast.Constant(str() as value) if "->" in value:
            for other in _swapped_axes(value):
                yield functools.partial(setattr, node, "value", other)
        case ast.Call(function, arguments, keywords):
            for index in range(len(arguments) - 1):
                yield functools.partial(_swap, arguments, index)
            for keyword in keywords:
                yield functools.partial(keywords.remove, keyword)
            if isinstance(function, ast.Attribute) and not _is_module(function.value):
                yield functools.partial(replace, function.value)
            elif arguments and not isinstance(arguments[0], ast.Starred | ast.GeneratorExp):
                yield functools.partial(replace, arguments[0])
        case ast.Attribute(attr=name, value=value):
            if name in NAMES:
                yield functools.partial(setattr, node, "attr", NAMES[name])
            if name in ("T", "mT"):
                yield functools.partial(replace, value)
        case ast.Name(name) if name in NAMES and isinstance(parent, ast.Call):
            yield functools.partial(setattr, node, "id", NAMES[name])
        case ast.Name(name, ast.Load()) if name in parameters:
            other = parameters[(parameters.index(name) + 1) % len(parameters)]
            yield functools.partial(setattr, node, "id", other)
        case ast.Subscript(value, index) if isinstance(node.ctx, ast.Load):
            yield functools.partial(replace, value)
            if isinstance(index, ast.Tuple):
                for position in range(len(index.elts) - 1):
                    yield functools.partial(_swap, index.elts, position)
        case ast.Slice(lower, upper):
            if lower is not None:
                yield functools.partial(setattr, node, "lower", None)
            if upper is not None:
                yield functools.partial(setattr, node, "upper", None)
        case ast.IfExp(test, body, orelse):
            yield functools.partial(replace, body)
            yield functools.partial(replace, orelse)
        case ast.If(test):
            yield functools.partial(setattr, node, "test", ast.UnaryOp(ast.Not(), test))
        case ast.comprehension(ifs=ifs) if ifs:
            yield ifs.clear
        case ast.Return(ast.Tuple(elements)):
            for index in range(len(elements) - 1):
                yield functools.partial(_swap, elements, index)
        case ast.FunctionDef(body=body):
            for statement in body[:-1]:
                if not isinstance(statement, ast.FunctionDef):
                    yield functools.partial(_drop, body, statement)


def _replace(parent: ast.AST, node: ast.AST, other: ast.AST) -> None:
    for name, value in ast.iter_fields(parent):
        if value is node:
            setattr(parent, name, other)
        elif isinstance(value, list) and any(child is node for child in value):
            value[next(i for i, child in enumerate(value) if child is node)] = other


def _swap(nodes: list, index: int) -> None:
    nodes[index : index + 2] = nodes[index : index + 2][::-1]


def _drop(body: list, statement: ast.stmt) -> None:
    body[body.index(statement)] = ast.Pass()


def _is_module(node: ast.expr) -> bool:
    """Return True for ``torch`` and ``torch.linalg``, whose functions take their input as an argument."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in ("torch", "np", "math", "F", "einops")


def _swapped_axes(pattern: str) -> Iterator[str]:
    """Yield an einsum pattern with two neighbouring axes of an operand or of the output swapped."""
    operands = pattern.replace("->", ", -> ,").split(",")
    for number, operand in enumerate(operands):
        axes = operand.split()
        for index in range(len(axes) - 1):
            swapped = [*axes[:index], axes[index + 1], axes[index], *axes[index + 2 :]]
            yield ",".join([*operands[:number], f" {' '.join(swapped)} ", *operands[number + 1 :]]).replace(
                ", -> ,", "->"
            )


def equivalents(exercise: Exercise) -> dict[str, str]:
    """Return change → reason of the mutants that give what the reference gives."""
    lesson = int(exercise.id.split(".")[0])
    tables = [
        tomllib.loads(file.read_text(encoding="utf-8"))
        for file in EQUIVALENTS.glob(f"lesson_{lesson:02}*.toml")
    ]
    return {change: reason for table in tables for change, reason in table.get(exercise.id, {}).items()}


def accepted(id: str) -> tuple[int, list[Mutant]]:
    """Return the number of an exercise's mutants, and those that its check accepts."""
    exercise = exercises.get(id)
    made = mutants(exercise)
    return len(made), [mutant for mutant in made if exercise.check(mutant.function()).status == "passed"]


def main() -> None:
    asked = sys.argv[1:]
    ids = [
        exercise.id
        for exercise in exercises.all_exercises()
        if not asked or exercise.id in asked or f"lesson_{int(exercise.id.split('.')[0]):02}" in asked
    ]
    print("exercise   made  rejected  equivalent  accepted")
    missing = []
    with ProcessPoolExecutor(os.cpu_count() or 1) as processes:
        for id, (made, passed) in zip(ids, processes.map(_changes_accepted, ids)):
            known = equivalents(exercises.get(id))
            open_ = [change for change in passed if change not in known]
            missing += [f"{id}  {change}" for change in open_]
            missing += [
                f"{id}  listed as equivalent, but rejected or not made: {change}"
                for change in known
                if change not in passed
            ]
            print(
                f"{id:8} {made:6} {made - len(passed):9} {len(passed) - len(open_):11} {len(open_):9}",
                flush=True,
            )
    print(*missing, sep="\n")
    raise SystemExit(bool(missing))


def _changes_accepted(id: str) -> tuple[int, list[str]]:
    made, passed = accepted(id)
    return made, [mutant.change for mutant in passed]


if __name__ == "__main__":
    main()
