"""What is wrong with a suite, item by item, before anything is asked.

It stands among the judges because most of it is what they know: what a rule reads, which words
two questions share, what a judge needs to have before it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

from data.digest import digest
from data.errors import SuiteError
from data.suites import Item, Scan
from judges.golds import gold_faults
from judges.japanese import normalize
from judges.language import ENOUGH, NO_PROSE
from judges.near_duplicates import near_duplicates
from judges.scripts import scripts
from moa.conversation import Conversation

ROOM = 1024
"""Tokens of a context that an answer needs: `max_tokens.proposer` unless the user says more."""

_LITTLE, _MOSTLY, _NO_KANA = 0.05, 0.5, 0.02
_LOPSIDED = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        place: `file:line`, or the file where no line is to blame.
        kind: `schema`, `duplicate`, `near-duplicate`, `gold`, `judging`, `length`, `halves` or
            `language`.
        text: What is wrong, in one line.
    """

    place: str
    kind: str
    text: str

    def to_json(self) -> dict[str, str]:
        """Return it as JSON."""
        return asdict(self)


def check_suite(scan: Scan, shown: str, context: int) -> list[Finding]:
    """Return everything that is wrong with a suite: first what is no item, then in its order.

    Args:
        scan: The suite's files.
        shown: What findings call the suite as a whole.
        context: Tokens of the smallest context a model of the pool has.
    """
    found = list(_schema(scan.faults))
    for number, item in enumerate(scan.items):
        place = scan.places[number]
        found += (
            Finding(place, kind, f"item {item.id}: {text}") for kind, text in _of(item, context)
        )
    found += _duplicates(scan)
    if not scan.faults:  # else the halves are those of another suite
        found += (Finding(shown, "halves", text) for text in _halves(scan.items))
    return found


def tokens(text: str) -> int:
    """Return about how many tokens a text has, rather too many than too few.

    One for each sign of Japanese, which is what the poorest vocabularies of Japanese models
    need, and one for three of plain ASCII.
    """
    foreign = sum(sign.isascii() for sign in text)
    return len(text) - foreign + -(-foreign // 3)


def _schema(faults: Iterable[SuiteError]) -> Iterator[Finding]:
    """Yield what is no item; a remedy that helps many lines is said once."""
    said: set[str] = set()
    for fault in faults:
        told = "" if fault.remedy in said else fault.remedy
        said.add(fault.remedy)
        yield Finding(fault.place, "schema", "; ".join(filter(None, (fault.fault, told))))


def _of(item: Item, context: int) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of each fault that an item has by itself."""
    if item.rule is None and item.target is None and not item.rubric and not item.reference:
        yield "judging", "nothing to judge by: no target, rubric or reference"
    yield from (("gold", fault) for fault in gold_faults(item))
    yield from (("length", fault) for fault in _length(item, context))
    yield from (("language", fault) for fault in _language(item))


def _length(item: Item, context: int) -> Iterator[str]:
    """Yield the fault of an item whose last turn leaves no room for an answer."""
    unknown = 0 if item.reference else len(item.turns) - 1
    messages = Conversation.of(item).messages(item.reference[:-1] or ("",) * unknown)
    size = sum(tokens(message["content"]) for message in messages) + ROOM * unknown
    if size + ROOM > context:
        yield (
            f"about {size} tokens with documents and tools, which leaves less than {ROOM}"
            f" of {context} for an answer"
        )


def _language(item: Item) -> Iterator[str]:
    kind = item.rule["kind"] if item.rule else ""
    if item.reference and kind not in NO_PROSE:
        yield from _mismatch("the reference", "\n".join(item.reference), item.language)
    elif not item.reference:
        yield from _mismatch("the question", "\n".join(item.turns), item.language)


def _mismatch(what: str, text: str, language: str) -> Iterator[str]:
    found = scripts(text)
    if found.letters < ENOUGH:
        return
    if language == "ja" and found.japanese < _LITTLE:
        yield f"{what} is not Japanese; set `language` if the answer is not to be"
    elif language == "ja" and found.japanese > _MOSTLY and found.share(found.kana) < _NO_KANA:
        yield f"{what} has no kana: Chinese? set `language` if the answer is to be so"
    elif language != "ja" and found.japanese > _MOSTLY and what == "the reference":
        yield f"{what} is Japanese, the answer's `language` is {language!r}"


def _duplicates(scan: Scan) -> Iterator[Finding]:
    """Yield items that ask what an earlier one asks, word for word or nearly."""
    items, places = scan.items, scan.places
    same: dict[str, int] = {}
    copies: set[int] = set()
    for number, item in enumerate(items):
        first = same.setdefault(_asked(item), number)
        if first != number:
            copies.add(number)
            text = f"item {item.id}: the same question as {items[first].id} ({places[first]})"
            yield Finding(places[number], "duplicate", text)

    def comparable(a: int, b: int) -> bool:
        return not {a, b} & copies and _same_documents(items[a], items[b])

    texts = ["\n".join(item.turns) for item in items]
    for pair in near_duplicates(texts, comparable=comparable):
        earlier, later = items[pair.earlier], items[pair.later]
        halves = "" if earlier.split == later.split else ", across the halves"
        text = (
            f"item {later.id}: {pair.overlap:.0%} of its words are those of {earlier.id}"
            f" ({places[pair.earlier]}){halves}"
        )
        yield Finding(places[pair.later], "near-duplicate", text)


def _asked(item: Item) -> str:
    turns = [normalize(turn) for turn in item.turns]
    documents = [normalize(document.text) for document in item.documents]
    return digest([turns, documents, [dict(tool) for tool in item.tools]])


def _same_documents(a: Item, b: Item) -> bool:
    """Whether two items are about the same texts; the same words about others are no copy."""
    texts, others = ({document.text for document in item.documents} for item in (a, b))
    return bool(texts & others) or not (texts or others)


def _halves(items: Sequence[Item]) -> Iterator[str]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        counts[item.category][item.split] += 1
    for category, count in counts.items():
        search, held_out = count["search"], count["held_out"]
        if not search or not held_out:
            missing = "held-out" if search else "search"
            yield f"category {category}: no {missing} item among {search + held_out}"
        elif max(search, held_out) > _LOPSIDED * min(search, held_out) + 1:
            yield f"category {category}: {search} search and {held_out} held-out items"


def kinds(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many findings there are of each kind, the most first."""
    return dict(Counter(finding.kind for finding in findings).most_common())
