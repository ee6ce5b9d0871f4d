"""What keeps verdicts from being compared: another judge, prompt, baseline or question.

Judges differ by more than models do, so that a table over two of them ranks judges.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from data.errors import ConfigError
from data.lines import brief
from data.verdicts import Ruling, Task, Terms
from kumiawase.tables import visible

_REMEDY = "name one with --judge, several for their mean, or mark the table with --allow-mixed"
_NAMED = 4  # names that a line of text can take


def chosen(rulings: Sequence[Ruling], judges: Sequence[str]) -> Sequence[Ruling]:
    """Return the verdicts of the judges; of all where none is named.

    Raises:
        ConfigError: One of them gave no verdict.
    """
    known = Counter(ruling.terms.judge for ruling in rulings)
    for name in judges:
        if name not in known:
            remedy = f"there are {', '.join(filter(None, known)) or 'none that are named'}"
            raise ConfigError(f"no verdict of {brief(name)}", place="--judge", remedy=remedy)
    return [ruling for ruling in rulings if ruling.terms.judge in judges] if judges else rulings


def refuse_mixed(rulings: Sequence[Ruling], *, panel: bool, allowed: bool) -> tuple[str, ...]:
    """Return by what the verdicts differ that files name: judges, prompts, baselines.

    Args:
        rulings: Verdicts to be ranked together.
        panel: Whether several judges are meant, each of whom must have judged every model.
        allowed: Whether such verdicts may be ranked all the same.

    Raises:
        ConfigError: They differ, and that is not allowed.
    """
    found = (*_judges(rulings, panel=panel), *_settings(rulings))
    if found and not allowed:
        raise ConfigError(found[0], place="verdicts that do not compare", remedy=_REMEDY)
    return found


def same_name_other_text(rulings: Sequence[Ruling]) -> tuple[str, ...]:
    """Return which prompts and questions have one name and several texts."""
    found = []
    prompts = _apart(rulings, lambda terms: terms.prompt)
    if prompts:
        _, terms = prompts[0]
        found.append(f"the judge's instruction has {len(terms)} texts: {_sides(terms)}")
    questions = _apart(rulings, lambda terms: terms.question)
    if questions:
        task, terms = questions[0]
        found.append(f"{len(questions)} questions, such as {named(task)}, have several texts")
    return tuple(found)


def listed(names: Sequence[str]) -> str:
    """Return names in one line of text."""
    more = len(names) - _NAMED
    return ", ".join(map(visible, names[:_NAMED])) + (f" and {more} more" if more > 0 else "")


def named(task: Task) -> str:
    """Return how a task is called in one line."""
    return brief(" ".join(part for part in task if part))


def _judges(rulings: Sequence[Ruling], *, panel: bool) -> Iterator[str]:
    models: dict[str, set[str]] = defaultdict(set)
    counts: Counter[str] = Counter()
    for ruling in rulings:
        models[ruling.terms.judge].update(ruling.models)
        counts[ruling.terms.judge] += 1
    every = set().union(*models.values())
    if panel:
        for judge, own in models.items():
            if missed := sorted(every - own):
                yield f"{judge or 'a judge without a name'} never judged {listed(missed)}"
    elif len(counts) > 1:
        shown = [f"{judge or 'nobody named'} ({count})" for judge, count in counts.items()]
        yield f"judged by {len(counts)} judges: {listed(shown)}"


def _settings(rulings: Sequence[Ruling]) -> Iterator[str]:
    found = _apart(rulings, lambda terms: terms.setting)
    if found:
        task, terms = found[0]
        yield f"{len(found)} tasks judged on other terms, such as {named(task)}: {_sides(terms)}"


def _apart(
    rulings: Sequence[Ruling], term: Callable[[Terms], str]
) -> list[tuple[Task, dict[str, set[str]]]]:
    """Return the tasks that were judged under several terms, each with term → models."""
    by_task: dict[tuple[Task, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for ruling in rulings:
        if value := term(ruling.terms):
            by_task[ruling.task, ruling.terms.judge][value].update(ruling.models)
    return [(task, terms) for (task, _), terms in by_task.items() if len(terms) > 1]


def _sides(terms: Mapping[str, set[str]]) -> str:
    return "; ".join(f"{text} for {listed(sorted(own))}" for text, own in terms.items())
