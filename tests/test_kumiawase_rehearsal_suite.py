"""Our suite ranks the simulated models as their true quality does, on either half."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from scipy.stats import spearmanr

from data.digest import digest
from data.suites import Split, load_suite
from endpoints.request import Completion, Request
from judges.combined import CombinedJudge
from judges.rubric import RubricJudge
from judges.statistics import mean
from kumiawase.rehearsal.pool import JUDGES, Pool
from kumiawase.rehearsal.reply import Body, Talker
from kumiawase.rehearsal.world import World
from moa import prompts
from moa.conversation import Conversation
from moa.engine import Engine, MaxTokens
from moa.ensemble import single

SUITE = load_suite("kumiawase-ja", Path())


class InProcess:
    """A completer that asks the simulated models without a server between."""

    def __init__(self, pool: Pool) -> None:
        self._talker = Talker(pool, World.of_our_suite())

    async def complete(self, request: Request) -> Completion:
        body = {
            "model": request.model,
            "messages": request.messages,
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "seed": request.draw,
        }
        reply = self._talker.reply(Body.model_validate(body))
        return Completion(
            key=digest(body),
            text=reply.text,
            finish_reason=reply.finish_reason,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            estimated=False,
            seconds=0.0,
            usd=0.0,
            served=request.model,
        )


async def _score(pool: Pool, model: str, half: Split) -> float:
    completer = InProcess(pool)
    engine = Engine(completer, prompts.library(), MaxTokens())
    rubric = RubricJudge(completer, JUDGES[0], identity="j", family="judge", max_tokens=1024)
    judge = CombinedJudge(rubric)
    items = SUITE.half(half)
    answers = [await engine.answer(single(model, 0.0), Conversation.of(i)) for i in items]
    scores = [(await judge.score(i, a))[0] for i, a in zip(items, answers, strict=True)]
    found = {i.id: s.value for i, s in zip(items, scores, strict=True) if s.value is not None}
    assert len(found) == len(items)
    return mean(found, {i.id: i.category for i in items}, SUITE.weights)


def _agreement(seeds: Sequence[int], half: Split) -> float:
    """Return the mean rank correlation of scores and true qualities over pools."""
    found = []
    for seed in seeds:
        pool = Pool(seed)
        scores = [asyncio.run(_score(pool, m, half)) for m in pool.members]
        truth = [pool.quality(single(m, 0.0)) for m in pool.members]
        found.append(float(spearmanr(scores, truth).statistic))
    return sum(found) / len(found)


@pytest.mark.parametrize("half", ["search", "held_out"])
def test_a_half_of_the_suite_ranks_models_as_their_true_quality_does(
    half: Split, capsys: pytest.CaptureFixture[str]
) -> None:
    agreement = _agreement(range(4), half)
    with capsys.disabled():
        sys.stdout.write(f"\n{half}: mean Spearman over 4 pools {agreement:.2f}\n")
    assert agreement > 0.6
