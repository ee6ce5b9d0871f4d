"""JGLUE v1.3: the four tasks that are still published, each asked in words and checked by a rule.

Kurihara, Kawahara, Shibata (LREC 2022). The files end in `.json`; only JSQuAD's is one document,
the others hold one object a line. Where JGLUE measures a whole set (Pearson, Spearman), an item
has to be worth something by itself: its score falls with the distance.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources.abc import Traversable

from pydantic import Field

from data.errors import SuiteError
from data.formats.base import Foreign, asked, choice, row
from data.lines import Line, Lines, check, json_object, read_bytes
from data.row import Row
from data.rule_forms import Text

STS_SPAN = 2.0
"""Of the 0 to 5 of JSTS: what is this far off is worth nothing."""

_RELATIONS = {"entailment": "含意", "contradiction": "矛盾", "neutral": "中立"}
_BREAK = "[SEP]"


class _CommonsenseQuestion(Foreign):
    q_id: int
    question: Text
    choice0: Text
    choice1: Text
    choice2: Text
    choice3: Text
    choice4: Text
    label: int = Field(ge=0, le=4)


class _Pair(Foreign):
    sentence_pair_id: Text
    sentence1: Text
    sentence2: Text


class _RelatedPair(_Pair):
    label: Text


class _SimilarPair(_Pair):
    label: float = Field(ge=0, le=5)


class _Answer(Foreign):
    text: Text


class _Question(Foreign):
    id: Text
    question: Text
    answers: list[_Answer] = Field(min_length=1)
    context: Text


class _Paragraph(Foreign):
    context: Text
    qas: list[dict[str, object]]


class _Article(Foreign):
    title: Text
    paragraphs: list[_Paragraph]


class _Squad(Foreign):
    data: list[_Article]


def commonsense_qa(line: Line) -> Row:
    """Read JCommonsenseQA: five choices, answered by letter."""
    question = check(_CommonsenseQuestion, line.value, place=line.place)
    texts = [getattr(question, f"choice{n}") for n in range(5)]
    fields = {
        "id": str(question.q_id),
        "category": "JCommonsenseQA",
        **choice(
            question.question, dict(zip("ABCDE", texts, strict=True)), "ABCDE"[question.label]
        ),
    }
    return row(fields, line)


def nli(line: Line) -> Row:
    """Read JNLI: what follows for the second sentence from the first, in one of three words."""
    pair = check(_RelatedPair, line.value, place=line.place)
    if pair.label not in _RELATIONS:
        fault = f"`label` is {pair.label!r}"
        raise SuiteError(fault, place=line.place, remedy=f"use one of {', '.join(_RELATIONS)}")
    fields = {
        "id": pair.sentence_pair_id,
        "category": "JNLI",
        "text": asked("jnli_ja", first=pair.sentence1, second=pair.sentence2),
        "target": _RELATIONS[pair.label],
        "rule": {"kind": "choice", "choices": list(_RELATIONS.values())},
    }
    return row(fields, line)


def sts(line: Line) -> Row:
    """Read JSTS: how alike two sentences are, as a number from 0 to 5."""
    pair = check(_SimilarPair, line.value, place=line.place)
    fields = {
        "id": pair.sentence_pair_id,
        "category": "JSTS",
        "text": asked("jsts_ja", first=pair.sentence1, second=pair.sentence2),
        "target": pair.label,
        "rule": {"kind": "numeric", "span": STS_SPAN},
    }
    return row(fields, line)


def squad(line: Line) -> Row:
    """Read a question of JSQuAD: its paragraph is the document, any annotator's answer right."""
    question = check(_Question, line.value, place=line.place)
    title, found, text = question.context.partition(_BREAK)
    if not found:
        title, text = str(line.value["title"]), question.context
    answers = list(dict.fromkeys(answer.text for answer in question.answers))
    fields = {
        "id": question.id,
        "category": "JSQuAD",
        "text": asked("jsquad_ja", question=question.question),
        "documents": [{"id": "1", "title": title.strip(), "text": text.strip()}],
        "target": answers,
        "rule": {"kind": "short_answer", "partial": True},
    }
    return row(fields, line)


def squad_lines(source: Traversable, shown: str) -> Lines:
    """Yield the questions of a document in SQuAD's layout, each with its paragraph.

    Raises:
        SuiteError: The file cannot be read or has another layout.
    """
    document = check(_Squad, json_object(read_bytes(source, shown), shown), place=shown)
    for number, question in enumerate(_questions(document), start=1):
        yield Line(f"{shown}: question {number}", number, question)


def _questions(document: _Squad) -> Iterator[dict[str, object]]:
    for article in document.data:
        for paragraph in article.paragraphs:
            for question in paragraph.qas:
                yield {**question, "context": paragraph.context, "title": article.title}
