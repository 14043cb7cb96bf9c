"""The course's prose, sentence by sentence: how long its sentences are, and which words it avoids.

    python -m tests.language          # per text: words, mean and longest sentence, what breaks the rules
    python -m tests.language 03 README

Code, formulas, tables and lists of links are left out. A paragraph on one of the three mental models may use
the model's own words.
"""

import re
import sys
from collections.abc import Iterator
from importlib import import_module

from helpers.build.lesson_files import ROOT, lessons, read_lesson
from helpers.exercises import all_exercises

MOST_WORDS = 30  # in a sentence
MENTAL_MODEL = re.compile(r"\b(memory|DRAM|address(es)?|people|persons?|line of people)\b")
AVOIDED = {  # pattern → what to say
    r"(the|its|their|every|each|a) (stores?|loads?)\b": "head output, write; reads from",
    r"(make|making|more|less|much|no|shared|enough|the|have) room\b": "subspace, capacity",
    r"resting place|(rests?|resting) (on|at|there)": "attention sink",
    r"who (looks|asks) (at )?whom": "attention pattern",
    r"feeders?": "upstream head, sender",
    r"the one who acts|name that is due|the one that is due": "subject (S), indirect object (IO)",
    r"S2 heads?": "S-inhibition head",
    r"(step|steps|stepped|stepping) in(?! \w+ \d)": "backup, self-repair",
    r"(take|takes|taken|taking|took) away": "ablate",
    r"delet(e|es|ed|ing)(?! (the|it|this|that|its|damaged) ?(file|folder|copy|download)?)": "ablate, write against",
    r"(by|than|above|below|at|of) chance|chance level": "random baseline",
    r"company|unsaid": "context, lowers the logit of",
    r"told (from|apart)": "distinguished from",
    r"(a|the|their|its|what) shares? (of|that)": "fraction of",
    r"can not": "cannot",
    r"mend(s|ed|ing)?": "fix",
    r"whoever": "every one that",
    r"of before": "the previous",
    r"a (row|column) (a|each) \w+": "one row per",
    r"dark(er|est)? (squares?|cells?|stripe|rows?)": "strong (on a dark page strong is bright)",
}


def sentences(markdown: str) -> list[str]:
    """Return the sentences of a text in Markdown: a word per code and formula, headings and tables left out."""
    text = re.sub(r"^```.*?^```", "", markdown, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\$\$.*?\$\$", "x", text, flags=re.DOTALL)
    text = re.sub(r"`[^`\n]+`|\$[^$]+\$", "x", text)
    text = re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"<summary>.*?</summary>|<[^>]+>|[*_]", "", text)
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:[-•○]|\d+\.) )|\n(?=\|)|(?<=\|)\n", text)
    found = []
    for block in blocks:
        block = re.sub(r"^\s*(?:[-•○]|\d+\.)\s+", "", " ".join(block.split()))
        if block.startswith(("#", "|", "▶", "Contents", "⏱")) or not block:
            continue
        found += re.split(r"(?<=[.?!:;])[\"”')]*\s+(?=[\"“(]?[A-Zx0-9])", block)
    return [sentence for sentence in found if re.search(r"\w", sentence)]


def words(sentence: str) -> int:
    """Return the number of words."""
    return len(re.findall(r"[\w'’-]*\w", sentence))


def avoided(markdown: str) -> list[str]:
    """Return what a text says in words that the course avoids, with what to say, outside the mental models."""
    found = []
    for paragraph in re.split(r"\n\s*\n", markdown):
        plain = re.sub(r"`[^`\n]+`|\]\([^)]*\)", "", paragraph)
        if MENTAL_MODEL.search(plain):
            continue
        for pattern, instead in AVOIDED.items():
            for match in re.finditer(rf"\b{pattern}\b", plain, re.IGNORECASE):
                context = plain[max(0, match.start() - 30) : match.end() + 20].replace("\n", " ")
                found.append(f"“…{context}…”: say {instead}")
    return found


def texts() -> Iterator[tuple[str, str]]:
    """Yield the name and the prose of every lesson, of its exercises' hints and messages, and of the other pages."""
    for path in lessons():
        cells = [cell.source for cell in read_lesson(path).cells if cell.cell_type == "markdown"]
        yield path.stem, "\n\n".join(cells)
        number = path.stem[:2]
        said = [
            sentence
            for exercise in all_exercises()
            if exercise.id.startswith(f"{int(number)}.")
            for sentence in (*exercise.hints, *(mistake.explanation for mistake in exercise.mistakes))
        ]
        yield f"{number} hints and messages", "\n\n".join(said)
        yield f"{number} predictions", "\n\n".join(_predictions(path))
    for path in [ROOT / "README.md", ROOT / "notebooks" / "index.md", *sorted(ROOT.glob("data/*/README.md"))]:
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def _predictions(path) -> list[str]:
    """Return the questions of a lesson and the lines that explain their options."""
    asked = [cell.source for cell in read_lesson(path).cells if cell.source.startswith("predict(")]
    questions = ["".join(re.findall(r'"([^"]*)"', source.split("[")[0])[1:]) for source in asked]
    try:
        explanations = import_module(f"helpers.exercises.lesson_{path.stem[:2]}.predictions").EXPLANATIONS
    except ModuleNotFoundError:
        explanations = {}
    return questions + [line for options in explanations.values() for line in options.values()]


if __name__ == "__main__":
    print(f"{'text':34}{'words':>7}{'mean':>6}{'longest':>9}{'> 30':>6}{'avoided':>9}")
    for name, text in texts():
        if sys.argv[1:] and not any(part in name for part in sys.argv[1:]):
            continue
        counts = [words(sentence) for sentence in sentences(text)] or [0]
        long = [sentence for sentence in sentences(text) if words(sentence) > MOST_WORDS]
        print(
            f"{name:34}{sum(counts):7}{sum(counts) / len(counts):6.1f}{max(counts):9}{len(long):6}{len(avoided(text)):9}"
        )
        if sys.argv[1:]:
            print(*(f"   {words(line)} words: {line}" for line in long), *avoided(text), sep="\n   ")
