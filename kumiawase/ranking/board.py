"""A leaderboard from files of verdicts: read, checked, settled, ranked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from data.errors import ConfigError
from data.lines import brief
from data.suites import Item, load_suite
from data.verdicts import Comparison, Ruling, Verdict, VerdictFormat
from data.verdicts.load import Loaded, Repeated, load, settle
from data.verdicts.texts import brief_digest
from kumiawase.ranking.comparable import (
    chosen,
    listed,
    refuse_mixed,
    same_name_other_text,
)
from kumiawase.ranking.duels import DuelRow, DuelTable, duel_table
from kumiawase.ranking.marks import item_of
from kumiawase.ranking.means import MeanRow, mean_rows


@dataclass(frozen=True, slots=True)
class Board:
    """A leaderboard and all that is to be said of it.

    Attributes:
        rulings: Those of the judges, as they stand.
        judges: Whose verdicts it rests on; an empty name where the file names none.
        differences: By what verdicts differ although they are ranked together, by leave.
        unranked: Why the rows bear no ranks; empty where they do.
        by: What means are broken down by.
        means: Of marks; None for comparisons.
        duels: Of comparisons; None for marks.
    """

    form: VerdictFormat
    loaded: Loaded
    rulings: Sequence[Ruling]
    judges: tuple[str, ...]
    differences: tuple[str, ...]
    unranked: tuple[str, ...]
    repeated: tuple[Repeated, ...]
    notes: tuple[str, ...]
    by: str
    means: list[MeanRow] | None
    duels: DuelTable | None

    @property
    def rows(self) -> Sequence[MeanRow | DuelRow]:
        """The models, of whichever kind."""
        return self.duels.rows if self.duels else self.means or []


def board(
    form: VerdictFormat,
    paths: Sequence[Path],
    *,
    judges: Sequence[str] = (),
    questions: Path | None = None,
    allow_mixed: bool = False,
) -> Board:
    """Rank the models of some files.

    Args:
        form: The files' format.
        paths: Files and folders.
        judges: Whose verdicts count, their mean where there are several; all where none is named.
        questions: The questions of MT-Bench, for the mean over their categories.
        allow_mixed: Rank verdicts that do not compare, too.

    Raises:
        UserError: A file cannot be read, or its verdicts do not compare.
    """
    loaded = load(form, paths)
    rulings = chosen(loaded.rulings, judges)
    panel = form.panel or len(judges) > 1
    mixed = refuse_mixed(rulings, panel=panel, allowed=allow_mixed)
    hidden = same_name_other_text(rulings)
    settled, repeated = settle(rulings)
    ranked = allow_mixed or not hidden
    categories, notes = _categories(rulings, questions)
    means = duels = None
    if form.scales:
        verdicts = cast("Sequence[Verdict]", rulings)
        own = cast("Sequence[Verdict]", settled)
        notes += _other_answers(verdicts)
        means = mean_rows(
            form, verdicts, own, repeated, categories, ranked=ranked, pooled=bool(mixed)
        )
    else:
        games = cast("Sequence[Comparison]", rulings)
        duels = duel_table(games, cast("Sequence[Comparison]", settled), repeated, ranked=ranked)
    return Board(
        form=form,
        loaded=loaded,
        rulings=rulings,
        judges=tuple(dict.fromkeys(ruling.terms.judge for ruling in rulings)),
        differences=(*mixed, *hidden) if allow_mixed else (),
        unranked=() if ranked else hidden,
        repeated=tuple(repeated),
        notes=tuple(notes),
        by="category" if categories else form.by,
        means=means,
        duels=duels,
    )


def _categories(
    rulings: Sequence[Ruling], questions: Path | None
) -> tuple[Mapping[str, str], list[str]]:
    """Return item → category, and what the questions say otherwise than those judged.

    Raises:
        ConfigError: A question that was judged is not among them.
    """
    if questions is None:
        return {}, []
    suite = load_suite({"path": str(questions), "format": "japanese-mt-bench"}, Path())
    items = {item.id: item for item in suite.items}
    for ruling in rulings:
        if ruling.task.item not in items:
            fault = f"no question {brief(ruling.task.item)}, which was judged"
            raise ConfigError(fault, place=str(questions), remedy="give the questions judged")
    return {item.id: item.category for item in suite.items}, _reworded(rulings, items, questions)


def _reworded(rulings: Sequence[Ruling], items: Mapping[str, Item], questions: Path) -> list[str]:
    first = {name: brief_digest(item.turns[0]) for name, item in items.items()}
    judged = {ruling.task.item: ruling.terms.question for ruling in rulings}
    other = [name for name, text in judged.items() if text and text != first[name]]
    if not other:
        return []
    line = (
        f"{len(other)} of {len(judged)} questions read otherwise in {questions}, such as"
        f" {listed(other)}: its categories were used, its questions are another version"
    )
    return [line]


def _other_answers(verdicts: Sequence[Verdict]) -> list[str]:
    answers: dict[object, set[str]] = defaultdict(set)
    for one in verdicts:
        if one.answer:
            answers[one.model, item_of(one)].add(one.answer)
    other = sum(len(texts) > 1 for texts in answers.values())
    if not other:
        return []
    return [f"{other} of {len(answers)} answers were written anew between verdicts on them"]
