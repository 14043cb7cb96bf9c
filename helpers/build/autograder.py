"""Two steps of nbgrader's autograder that do not run a learner's notebook.

nbgrader's own step executes the whole notebook with the teacher's rights, and counts a check cell
that prints nothing as passed. These steps restore the check cells and let ``recheck`` judge.
"""

import re
from pathlib import Path

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import NbGraderPreprocessor, OverwriteCells
from nbgrader.utils import is_grade

from helpers.build.recheck import Verdict, recheck


class RestoreChecks(OverwriteCells):
    """Put edited check cells back, and deleted ones at the end.

    nbgrader puts a deleted cell behind the one before it, and fails where that is deleted, too.
    """

    add_missing_cells = True

    def add_missing_grade_cells(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Append the check cells that the notebook lacks."""
        lesson = self.gradebook.find_notebook(self.notebook_id, self.assignment_id)
        sources = {cell.name: cell for cell in lesson.source_cells}
        there = {cell.metadata.nbgrader.get("grade_id") for cell in nb.cells if is_grade(cell)}
        for cell in lesson.grade_cells:
            if cell.name not in there:
                nb.cells.append(self.missing_cell_transform(sources[cell.name], cell.max_score))
        return nb, resources


class CheckAnswers(NbGraderPreprocessor):
    """Check the answers again; the check cell of one that does not pass gets an error."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict) -> tuple[NotebookNode, ResourcesDict]:
        """Write the verdicts into the check cells, from which nbgrader takes the points."""
        course = Path(resources["metadata"]["path"]).resolve().parents[2]  # autograded/NAME/ASSIGNMENT
        verdicts = {verdict.id: verdict for verdict in recheck(nb, private=course)}
        for cell in filter(is_grade, nb.cells):
            id = re.sub(r"^check-(\d+)-(\d+)$", r"\1.\2", cell.metadata.nbgrader.grade_id)
            verdict = verdicts.get(id) or Verdict(
                id, "missing", "no answer cell", "The notebook has no answers."
            )
            cell.execution_count, cell.outputs = None, [_output(verdict)]
        return nb, resources


def _output(verdict: Verdict) -> NotebookNode:
    """Return a verdict as a line of text, or as an error."""
    if verdict.status == "passed":
        return new_output("stream", name="stdout", text=f"{verdict.id} passed\n")
    name = verdict.diagnosis or verdict.status
    text = f"{verdict.id} {name}: {verdict.message}".rstrip(": ")
    return new_output("error", ename=name, evalue=verdict.message, traceback=[text])
