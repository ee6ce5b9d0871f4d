"""Several judges as one.

A panel of small judges of different families agrees with people better than one large judge and
favours its own family less (Verga et al. 2024, arXiv 2404.18796).

A harsh judge and a mild one are put on one scale, fitted once on the baselines' answers: see
`judges.common_scale`. Until then marks count as they are, and the panel is another judge, known
by another digest: what it scored so far is compared with nothing that comes after.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Protocol

from data.digest import digest
from data.errors import ConfigError, RequestError
from data.suites.item import Item
from endpoints.specs import ModelSpec
from judges.asking import together
from judges.common_scale import ENOUGH, CommonScale, fit
from judges.score import Judge, Score
from moa.answer import Answer

MOST_MEMBERS = 3
LEAST_OUTSIDE = 2  # judges of families that took no part, for the others to keep silent
AWAY = 8  # answers in a row that a model of the pool left unjudged, for it to be done without


class Member(Judge, Protocol):
    """A judge that belongs to a family of models."""

    @property
    def family(self) -> str:
        """The family of its model."""


_Found = tuple[Score, RequestError | None]


class PanelJudge:
    """The mean of its members, each family weighing the same.

    Attributes:
        families: Member → its family.
        unheard: Member → answers in a row that its endpoint failed to judge, before the scale.
        scale: What puts its members' marks on one scale, once `freeze` was called.
    """

    def __init__(
        self,
        members: Sequence[Member],
        families: Mapping[str, str],
        *,
        exclude_own_family: bool,
    ) -> None:
        """Make one judge of several.

        Args:
            members: At least one.
            families: Model → its family, for every model that may take part in an answer; a
                model that is not there is a family of its own. Part of the digest where they
                decide who keeps silent.
            exclude_own_family: Whether members of the aggregator's family keep silent, and those
                of the proposers' families where two others remain (`self`).
        """
        self._members, self._families = tuple(members), families
        self._exclude = exclude_own_family
        self.families = {member.name: member.family for member in members}
        self.name = "self" if exclude_own_family else "panel"
        self.scale: CommonScale | None = None
        self.unheard: Counter[str] = Counter()
        silent = {"families": dict(families)} if exclude_own_family else {}
        self._raw = digest(
            {
                "kind": self.name,
                "members": sorted((member.digest, member.family) for member in members),
                **silent,
            }
        )

    @property
    def digest(self) -> str:
        """Digest of everything that decides its verdicts, the scale included."""
        return digest([self._raw, self.scale.to_json()]) if self.scale else self._raw

    def fitted(self, answers: Sequence[Sequence[Score]]) -> CommonScale:
        """Return the scale that answers tell of, each given by its scores as `score` says them.

        Members that are away and gave too few marks have no line in it: they judge nothing more.
        """
        marks = [
            {s.judge: s.value for s in scores if s.judge in self.families and s.value is not None}
            for scores in answers
        ]
        given = Counter(judge for seen in marks for judge in seen)
        heard = {
            name: family
            for name, family in self.families.items()
            if given[name] >= ENOUGH or not self._away(name)
        }
        scale = fit([{n: mark for n, mark in seen.items() if n in heard} for seen in marks], heard)
        return replace(scale, away=tuple(sorted(self.families.keys() - heard.keys())))

    def freeze(self, scale: CommonScale) -> None:
        """Read the members' marks on this scale from here on."""
        self.scale = scale

    async def score(self, item: Item, answer: Answer) -> tuple[Score, ...]:
        """Return the panel's score and behind it those of the members that were asked.

        It counts when at least half of the members asked gave a verdict. Before the scale is
        frozen no member's endpoint may fail: a judge that missed the answers it is fitted on
        would stay unscaled for good, among marks that it had no part in. But where a pool judges
        itself one dead model must end no search: who left so many answers in a row unjudged is
        done without, and where the scale has no line for it, for good.

        Raises:
            RequestError: An endpoint failed, and too few gave a verdict or no scale is frozen.
            BudgetSpentError: A verdict could not be paid.
            UserError: Only the user can mend what is wrong.
        """
        asked: Sequence[Member] = self._eligible(answer)
        if not asked:
            family = self._family(answer.aggregator)
            return (Score.unscored(self.name, f"no judge outside the family {family}"),)
        found: Sequence[_Found] = await together(_first(member, item, answer) for member in asked)
        if self._unscaled:
            asked, found = self._without_away(asked, found)
        scores = [score for score, _ in found]
        pooled = self._pooled(asked, scores)
        failure = next((error for _, error in found if error is not None), None)
        if failure is not None and (pooled.value is None or self._unscaled):
            raise failure
        return (pooled, *scores)

    def _eligible(self, answer: Answer) -> tuple[Member, ...]:
        members = tuple(member for member in self._members if self._scaled(member.name))
        if not self._exclude:
            return members
        took_part = {self._family(model) for model in answer.models}
        outside = tuple(member for member in members if member.family not in took_part)
        if len(outside) >= LEAST_OUTSIDE:
            return outside
        own = self._family(answer.aggregator)
        return tuple(member for member in members if member.family != own)

    def _without_away(
        self, asked: Sequence[Member], found: Sequence[_Found]
    ) -> tuple[Sequence[Member], Sequence[_Found]]:
        """Count who was heard and leave out who is away, unless nobody would be left."""
        kept = []
        for member, (score, error) in zip(asked, found, strict=True):
            self.unheard[member.name] = 0 if error is None else self.unheard[member.name] + 1
            if error is None or not self._away(member.name):
                kept.append((member, (score, error)))
        if not kept:
            return asked, found
        return [member for member, _ in kept], [one for _, one in kept]

    def _away(self, member: str) -> bool:
        return self._exclude and self.unheard[member] >= AWAY

    def _scaled(self, member: str) -> bool:
        return self.scale is None or member not in self.scale.away

    @property
    def _unscaled(self) -> bool:
        return self.scale is None and len(self.families) > 1

    def _family(self, model: str) -> str:
        return self._families.get(model, model)

    def _pooled(self, asked: Sequence[Member], scores: Sequence[Score]) -> Score:
        spoken: dict[str, list[float]] = defaultdict(list)
        for member, score in zip(asked, scores, strict=True):
            if score.value is not None:
                spoken[member.family].append(self._read(member.name, score.value))
        told = ", ".join(_told(score) for score in scores)
        verdicts = sum(map(len, spoken.values()))
        if 2 * verdicts < len(asked):
            return Score.unscored(self.name, f"{verdicts} of {len(asked)} judges spoke", told)
        return Score(self.name, fmean(fmean(v) for v in spoken.values()), explanation=told)

    def _read(self, member: str, mark: float) -> float:
        return mark if self.scale is None else self.scale.read(member, mark)


def choose_members(pool: Sequence[ModelSpec], most: int = MOST_MEMBERS) -> tuple[ModelSpec, ...]:
    """Return the models of a pool that judge it: the first one of each of the first families.

    Raises:
        ConfigError: The pool has fewer than two families, so nobody could judge some answers.
    """
    firsts = {model.family: model for model in reversed(pool)}
    members = [model for model in pool if firsts[model.family] is model][:most]
    if len(members) < 2:
        raise ConfigError(
            "`kind: self` needs models of two families, to judge each other",
            place="judge",
            remedy="add a model of another family or name judges with `kind: panel`",
        )
    return tuple(members)


async def _first(member: Member, item: Item, answer: Answer) -> _Found:
    """Return a member's score and, where its endpoint failed, the error."""
    try:
        return (await member.score(item, answer))[0], None
    except RequestError as error:
        return Score.unscored(member.name, error.outcome, str(error)), error


def _told(score: Score) -> str:
    return f"{score.judge} {'—' if score.value is None else f'{10 * score.value:g}'}"
