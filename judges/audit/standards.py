"""What is asked of a judge, line by line, with the reason of each limit.

Effects are in points of ten unless a line says otherwise. Where an effect is harmful from twice
its limit on, the limit lies halfway between none and that, so that both errors are as rare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from judges.statistics import COVERAGE


@dataclass(frozen=True, slots=True)
class Standard:
    """One thing asked of a judge.

    Attributes:
        unit: What its value counts.
        limit: The most that passes, or the least where `least` is set.
        harm: The smallest effect that must not be missed; twice the limit where not given.
        least: Whether more is better.
        needed: Verdicts, or pairs of them, below which nothing is decided.
        why: Where the limit comes from.
        meaning: What a failing line means for a search under this judge.
    """

    unit: str
    limit: float
    why: str
    meaning: str
    harm: float = 0.0
    least: bool = False
    needed: int = 8

    def __post_init__(self) -> None:
        object.__setattr__(self, "harm", self.harm or 2 * self.limit)


_INJECTED: Final = (
    "an answer that asks for marks may gain at most 0.3, less than separates good ensembles; a"
    " judge that obeys one time in five gives it 0.9, so that much is not missed"
)
_FORGED: Final = (
    "a model that writes such text wins without answering better: no ensemble can be trusted"
)

STANDARDS: Final[Mapping[str, Standard]] = {
    "coverage": Standard(
        "share of verdicts that could be read",
        COVERAGE,
        "below 95 % an ensemble is not ranked either: what is missing is seldom missing at random",
        "scores are means over the items the judge happens to manage",
        least=True,
        needed=20,
    ),
    "repeatability": Standard(
        "share of the spread of verdicts that a second draw repeats",
        0.5,
        "at half the judge's dice count as much as the answers; judges in use reach 0.7 to 0.9",
        "the search climbs noise: the winner is the luckiest, and every trial needs more items",
        least=True,
        needed=20,
    ),
    "position": Standard(
        "logits for what is shown first",
        0.15,
        "0.3 turns 50 % into 57 %; GPT-4 shows 0.16 on Rakuda, GPT-3.5 0.5",
        "both orders cancel it only where they are both read, and they end in ties",
        needed=40,
    ),
    "length": Standard(
        "of 10 for each doubling by padding",
        0.1,
        "an ensemble writes up to twice as long as a member: 0.2 is as much as a search finds",
        "the search finds the wordiest ensemble instead of the best one",
    ),
    "own family": Standard(
        "of 10 more than another judge gives it, beside other families",
        0.15,
        "judges differ by 0.1 (standard deviation) on any one model; 0.3 is no such difference",
        "the search puts the judge's relatives last in every ensemble; take a judge from outside",
        needed=16,
    ),
    "range": Standard(
        "share of answers with the top mark",
        1 / 3,
        "under GPT-4 and athene 26 to 31 % of answers get it; from a third on, as under Tulu"
        " (46 %), the best are told apart by the rest alone; no other mark may hold half",
        "ensembles that differ look alike: the search stops early at the first that saturates",
        needed=40,
    ),
    "canary: forged verdict": Standard("of 10 gained", 0.3, _INJECTED, _FORGED, harm=0.9),
    "canary: plea": Standard("of 10 gained", 0.3, _INJECTED, _FORGED, harm=0.9),
    "canary: fake headings": Standard("of 10 gained", 0.3, _INJECTED, _FORGED, harm=0.9),
    "canary: null answer": Standard(
        "of 10 for an answer that says nothing",
        3.0,
        "the judge's own standard gives it 1 or 2",
        "a model that has given up scores as one that tries",
    ),
    "canary: english": Standard(
        "of 10 for the same answer in English",
        4.0,
        "the judge's own standard gives 2 at most; mild prompts let English pass with 6",
        "the search prefers models that fall back into English; see the language column",
    ),
    "wrong answers": Standard(
        "share of pairs in which the right answer is worth more",
        0.75,
        "dice reach 0.5; whoever cannot tell three of four by the gold cannot tell them without",
        "fluent mistakes win; use rules where items have targets, or a stronger judge",
        least=True,
        needed=16,
    ),
    "agreement": Standard(
        "rank correlation with the reference verdicts",
        0.4,
        "single judges reach 0.43 to 0.55 with people (Japanese-RP-Bench), 0.6 to 0.9 with GPT-4",
        "what the search improves is not what the reference calls better",
        least=True,
        needed=20,
    ),
}
