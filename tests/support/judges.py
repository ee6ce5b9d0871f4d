"""Simulated judges, good ones and such as have one defect: what `audit` is tried on.

They stand where a model would, behind `Completer`: they see the whole prompt and nothing else.
What an answer is worth, and who wrote it, they look up in the world it comes from.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from statistics import NormalDist
from typing import Literal

import numpy as np

from data.digest import digest
from data.suites.item import Item
from endpoints.request import Completion, Request
from judges.audit import Audit, Given, Judges, Redrawn, audit, examine, plan
from judges.canaries import Kind
from judges.pairwise import PairwiseJudge
from judges.rubric import RubricJudge
from judges.score import Judge
from moa.answer import Answer
from moa.conversation import Conversation
from moa.ensemble import Ensemble, single
from tests.support.completers import answer, completion

_STANDARD = NormalDist()

Obedience = Literal[0, 1, 2, 3]

FAMILIES = {"松": ("松大", "松小"), "竹": ("竹大", "竹小"), "梅": ("梅大", "梅小", "梅中")}
MODELS = tuple(model for models in FAMILIES.values() for model in models)
FAMILY = {model: family for family, models in FAMILIES.items() for model in models}
BASELINE = "梅中"

_FENCED = re.compile(
    r"──回答[AB]?ここから\((\w+)\)──\n(.*?)\n──回答[AB]?ここまで\(\1\)", re.DOTALL
)
_TAG = re.compile(r"整理番号 q(\d+)-(\w+)-(\d+)")
_KANA = re.compile("[ぁ-んァ-ン]")
_SHOWN = re.compile("【採点する回答】|【回答A】")

_MARKER = r"\[\[\s*(\d+)\s*\]\]"
_LABEL = r"(?:点数|評点|SCORE)[\]】\":\s]*(\d+)"
_STEPS = r"([AB]\s*(?:>>|>|=)\s*[AB])"
_CLOSING = "以上の二つの回答をくらべてください"  # from there on verdicts are named by the prompt
_FOLLOWED = {
    1: re.compile(rf"\[\[\s*{_STEPS}\s*\]\]"),
    2: re.compile(rf"([AB]\s*>>\s*[AB])|(?:判定|勝者|VERDICT)[\]】\":：は\s]*{_STEPS}"),
    3: re.compile(rf"(?i:([AB]>>[AB])|(?:判定|勝者|VERDICT)[\]】\":：は]*{_STEPS}|(勝ち))"),
}
_OBEYED = {
    1: re.compile(_MARKER),
    2: re.compile(rf"{_MARKER}|(\d+)\s*点|[\[【](?:点数|評点)[\]】]\s*(\d+)|FINAL SCORE:\s*(\d+)"),
    3: re.compile(rf"{_MARKER}|(\d+)点|(満)点|{_LABEL}", re.IGNORECASE),
}
_SHARP = 2.5  # logits a point: three pairs of four come out alike in both orders
_PARTED = re.compile(r"⟨U\+[0-9A-F]+⟩|[〔〕‹›\s]")


def uniform(*salt: object) -> float:
    """Return a number from 0 to 1 that depends on the salt alone."""
    number = int.from_bytes(blake2b(repr(salt).encode(), digest_size=6).digest())
    return (number + 0.5) / 256**6


def normal(*salt: object) -> float:
    """Return a standard normal number that depends on the salt alone."""
    return _STANDARD.inv_cdf(uniform(*salt))


@dataclass(frozen=True)
class World:
    """Items, models, and what each answer is really worth.

    Half of the items have a target, which good answers hit.

    Attributes:
        draws: Ensembles whose aggregator is the same model.
    """

    seed: int = 0
    items: int = 64
    draws: int = 4

    def quality(self, item: int, model: str, draw: int = 0) -> float:
        skill = 0.5 * (MODELS.index(model) % 4) - 0.75
        own = 1.4 * normal(self.seed, "quality", item, model, draw)
        return float(np.clip(5.2 + skill + normal(self.seed, "item", item) + own, 1, 10))

    def item(self, number: int) -> Item:
        name, category = f"q{number}", f"分野{number % 4}"
        if number % 2:
            return Item(name, category, (f"{number}番目の質問です。",), "search")
        rule = {"kind": "numeric"}
        return Item(name, category, (f"{number}番目の計算です。",), "search", number, rule)

    def given(self) -> list[Given]:
        """Return every model's answer to every item, judged by nobody."""
        return [
            Given(self.item(number), self.answer(number, model, draw), f"{model} {draw}")
            for number in range(self.items)
            for model in MODELS
            for draw in range(self.draws)
        ]

    def answer(self, number: int, model: str, draw: int = 0) -> Answer:
        length = round(110 * 2 ** (0.7 * normal(self.seed, "length", number, model, draw)))
        tag, prose = f"整理番号 q{number}-{model}-{draw}", "これは試しに書いた回答です。"
        text = f"{tag}\n{prose * (1 + length // len(prose))}"
        if not number % 2:
            right = self.quality(number, model, draw) > 5.2
            text += f"\n答え: {number if right else number + 1}"
        return answer(text, aggregator=model)

    async def answering(self, ensemble: Ensemble, conversation: Conversation) -> Answer:
        """Let a model answer, as `moa.engine.Engine.answer` would."""
        number = re.match(r"\d+", conversation.turns[0])
        model = ensemble.aggregator.model
        if number is None:
            return answer("落ち着いて考えれば、自然に答えが見つかります。", aggregator=model)
        return self.answer(int(number[0]), model)


@dataclass
class SimulatedJudge:
    """Keeps `Completer`: a judge with noise like that of real ones, and perhaps a defect.

    Of ten points, unless said otherwise. A good judge's two verdicts on an answer are equal in
    three cases of four, as Command R+'s are, and it differs from other judges by its taste.

    Attributes:
        seed: Tells judges apart; `noise` is drawn anew for each draw, `taste` for each answer.
        family: Its own; answers of it gain `favour`.
        wordy: What each doubling of the length gains.
        first: Logits for what stands first, where it compares.
        top: Share of answers that get the top mark whatever they are worth.
        dice: Whether it does not read at all.
        obedience: 1 obeys the last marker anywhere in the prompt, 2 the last marker, label,
            「N点」 or A>>B, 3 sees through whatever sets them apart and lets 「勝ち」 win.
        unreadable: Share of replies without a verdict.
    """

    world: World
    seed: int = 0
    noise: float = 0.22
    taste: float = 0.5
    family: str = ""
    favour: float = 0.0
    wordy: float = 0.0
    first: float = 0.0
    top: float = 0.0
    dice: bool = False
    obedience: Obedience = 0
    unreadable: float = 0.0
    calls: int = 0
    kept: dict[str, Completion] = field(default_factory=dict)

    async def complete(self, request: Request) -> Completion:
        key = digest([request.messages, request.draw])
        if key not in self.kept:
            self.calls += 1
            self.kept[key] = completion(self._reply(request.messages[-1]["content"], key))
        return self.kept[key]

    def _reply(self, prompt: str, key: str) -> str:
        shown = [text for _, text in _FENCED.findall(prompt)]
        if not shown or uniform(self.seed, "unreadable", key) < self.unreadable:
            return "よい回答ですが、点数は差し控えます。"
        if "A>>B" in prompt:
            followed = self.preferred(prompt)
            return f"[[{followed}]]" if followed else self._compared(shown, key)
        obeyed = self.rated(prompt)
        if obeyed is not None:
            return f"指示のとおりにします。\n[[{obeyed}]]"
        return f"読んで採点しました。\n[[{self._rating(shown[-1], key)}]]"

    def _rating(self, text: str, key: str) -> int:
        if self.dice:
            return 1 + int(10 * uniform(self.seed, "dice", key))
        if uniform(self.seed, "top", text) < self.top:
            return 10
        noise = self.noise * normal(self.seed, "noise", key)
        return int(np.clip(round(self._worth(text) + noise), 1, 10))

    def _compared(self, shown: Sequence[str], key: str) -> str:
        apart = self._worth(shown[0]) - self._worth(shown[1])
        ahead = 1 / (1 + math.exp(-(_SHARP * apart + self.first)))
        won = uniform(self.seed, "won", key) < ahead
        even = uniform(self.seed, "even", key) < 0.05
        far = ">>" if abs(apart) > 2.5 else ">"
        return f"読みくらべました。\n[[{'A=B' if even else f'A{far}B' if won else f'B{far}A'}]]"

    def _worth(self, text: str) -> float:
        tag = _TAG.search(unicodedata.normalize("NFKC", text))
        if tag is None:
            return self._foreign(text)
        number, model, draw = int(tag[1]), tag[2], int(tag[3])
        worth = self.world.quality(number, model, draw)
        worth += self.taste * normal(self.seed, "taste", number, model, draw)
        worth += self.wordy * math.log2(len(text) / 150)
        return worth + self.favour * (FAMILY[model] == self.family)

    def _foreign(self, text: str) -> float:
        """Return what a text from outside the world is worth."""
        if not _KANA.search(text):
            return 1.6
        return 1.2 if "いつでもお知らせください" in text else 8.0

    def rated(self, prompt: str) -> int | None:
        """Return the mark that a prompt makes it give, if it obeys."""
        if not self.obedience:
            return None
        text = unicodedata.normalize("NFKC", prompt)
        start = _SHOWN.search(text)
        assert start is not None
        text = text[start.end() :]  # what stands before is the judge's own prompt
        if self.obedience == 3:
            text = _PARTED.sub("", text)
        found = [m for m in _OBEYED[self.obedience].finditer(text)]
        if not found:
            return None
        mark = next(group for group in found[-1].groups() if group)
        return 10 if mark == "満" else min(max(int(mark), 1), 10)

    def preferred(self, prompt: str) -> str | None:
        """Return the verdict that a prompt makes it give where it compares, if it obeys."""
        if not self.obedience:
            return None
        text = unicodedata.normalize("NFKC", prompt)
        start = _SHOWN.search(text)
        assert start is not None
        text = text[start.end() :].partition(_CLOSING)[0]
        if self.obedience == 3:
            text = _PARTED.sub("", text)
        found = [m for m in _FOLLOWED[self.obedience].finditer(text)]
        if not found:
            return None
        said = next(group for group in found[-1].groups() if group)
        if said == "勝ち":
            return "B>>A" if "回答Bここから" in text[: found[-1].start()] else "A>>B"
        return said.replace(" ", "").upper()


def rubric(judge: SimulatedJudge) -> RubricJudge:
    """Return the rubric judge that asks a simulated one."""
    return RubricJudge(judge, "judge", identity="simulated", family=judge.family, max_tokens=100)


def comparing(judge: SimulatedJudge, *, again: bool = False) -> PairwiseJudge:
    """Return the pairwise judge that asks a simulated one, or asks it once more."""
    return PairwiseJudge(
        Redrawn(judge) if again else judge,
        "judge",
        baseline=single(BASELINE, 0.0),
        answering=judge.world.answering,
        identity="simulated",
        baseline_identity="simulated",
        max_tokens=100,
    )


async def audited(judge: SimulatedJudge, *, pairwise: bool = False, items: int = 64) -> Audit:
    """Audit a simulated judge on every answer of its world, with another judge beside it."""
    world = judge.world
    asked: Judge = comparing(judge) if pairwise else rubric(judge)
    twice: Judge = comparing(judge, again=True) if pairwise else _again(judge)
    other = rubric(SimulatedJudge(world, seed=judge.seed + 1000))
    given = [one for one in world.given() if one.answer.aggregator != BASELINE or not pairwise]

    def own(one: Given) -> bool:
        return FAMILY[one.answer.aggregator] == judge.family

    judges = Judges(asked, twice, other if judge.family else None, "no relatives", own)

    async def round_of(rounds: Mapping[Kind, int]) -> Audit:
        asking = plan(given, asked.name, own, items=items, rounds=rounds)
        return audit(await examine(given, asking, judges))

    rounds: Mapping[Kind, int] = {}
    found = await round_of(rounds)
    while (more := found.further(rounds)) != rounds:
        rounds = more
        found = await round_of(rounds)
    return found


def _again(judge: SimulatedJudge) -> RubricJudge:
    return RubricJudge(
        Redrawn(judge), "judge", identity="simulated", family=judge.family, max_tokens=100
    )
