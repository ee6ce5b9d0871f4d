"""What a proposal must be before anything is spent on it, and what its author is told if not."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from data.digest import text_digest
from data.observer import Silent
from endpoints.facts import MemoryFacts, ModelFacts, Window
from endpoints.tokens import Tokens
from moa.engine import MaxTokens
from moa.ensemble import Agent, Ensemble
from optimizer.archive import Archive
from optimizer.proposers.discovery import wording
from optimizer.proposers.discovery.checking import MOST_PROMPTS, Checked, Checker
from optimizer.proposers.discovery.faults import Fault
from optimizer.proposers.discovery.names import Names
from optimizer.proposers.discovery.purse import Purse
from optimizer.proposers.discovery.windows import USEFUL, Windows
from optimizer.proposers.discovery.winners import drawn, undominated, wins
from optimizer.space import Space
from tests.support.discoveries import AS_READ, ENGLISH, GOOD, MODELS, WORDS, changed, proposal
from tests.support.pool import PROMPT, SPACE, outcome


def space() -> Space:
    return replace(SPACE)


async def check(
    raw: object, archive: Archive | None = None, where: Space | None = None
) -> Checked:
    checker = Checker(where or space(), {PROMPT: "まとめる"}, (), 0)
    return await checker.check(raw, Archive() if archive is None else archive, set())


async def test_a_good_proposal_is_taken_with_its_thought() -> None:
    found = await check(proposal())
    kept = found.proposal
    assert (found.ensemble, found.fault, kept.rejected) == (AS_READ, None, "")
    assert (kept.origin, kept.digest, kept.thought, kept.name) == (
        "discovery",
        AS_READ.digest,
        "案",
        "名前",
    )
    assert (kept.parents, kept.expected_score) == (("12345678",), 7.5)
    assert Ensemble.from_json(kept.ensemble, prompt=PROMPT) == AS_READ


REFUSED: dict[str, tuple[object, str, str]] = {
    "an unknown model": (changed(aggregator={"model": "gpt-9"}), "unknown_model", "'gpt-9'"),
    "an unknown key": (
        changed(aggregator={"model": "a", "system": "__import__('os')"}),
        "schema",
        "unknown key 'system'",
    ),
    "code for a model": (changed(aggregator="os.system('ls')"), "schema", "aggregator"),
    "no aggregator": (proposal({"layers": []}), "schema", "aggregator"),
    "an empty layer": (changed(layers=[[]]), "schema", "layer without agents"),
    "no lists": (changed(layers={"a": 1}), "schema", "layers"),
    "too many layers": (changed(layers=GOOD["layers"] * 2), "limits", "2 layers"),
    "too wide": (
        changed(layers=[[{"model": m, "temperature": 0.7} for m in "abc"]]),
        "limits",
        "3 agents",
    ),
    "a gigantic layer": (changed(layers=[GOOD["layers"][0] * 2000]), "limits", "outside"),
    "n too large": (
        changed(layers=[[{"model": "a", "temperature": 0.7, "n": 10**30}]]),
        "limits",
        "draws",
    ),
    "a mixed layer": (
        changed(layers=[[{"model": "a", "temperature": 0.7}, {"model": "b", "temperature": 0}]]),
        "limits",
        "differ",
    ),
    "n of minus one": (changed(layers=[[{"model": "a", "n": -1}]]), "schema", "n -1"),
    "a temperature that is none": (
        changed(aggregator={"model": "b", "temperature": float("nan")}),
        "schema",
        "temperature nan",
    ),
    "another temperature": (
        changed(aggregator={"model": "b", "temperature": 0.5}),
        "limits",
        "temperature 0.5",
    ),
    "an unknown prompt": (
        changed(aggregator={"model": "b", "temperature": 0.0, "prompt": "p9"}),
        "prompt",
        "no such prompt",
    ),
    "half a character": (changed(aggregator={"model": "\ud800"}), "unknown_model", "unknown"),
    "nul": (changed(aggregator={"model": "\0"}), "unknown_model", "unknown"),
    "a prompt nobody reads": (
        proposal({"layers": [], "aggregator": {"model": "a"}}, aggregation_prompt=WORDS),
        "prompt_unused",
        "no agent",
    ),
}


@pytest.mark.parametrize(("raw", "code", "said"), REFUSED.values(), ids=REFUSED)
async def test_nonsense_is_refused_with_code_and_sentence(
    raw: object, code: str, said: str
) -> None:
    found = await check(raw)
    assert found.fault is not None
    assert (found.fault.code, found.proposal.rejected) == (code, str(found.fault))
    assert said in found.fault.sentence


async def test_its_author_is_told_what_could_stand_instead() -> None:
    found = (await check(changed(aggregator={"model": "gpt-9"}))).line((PROMPT,))["fault"]
    assert found == {
        "code": "unknown_model",
        "sentence": "unknown model 'gpt-9'",
        "legal": ["a", "b", "c"],
    }
    hot = (await check(changed(aggregator={"model": "b", "temperature": 0.5}))).fault
    assert hot is not None
    assert hot.legal == {"temperatures": [0.0, 0.7]}
    only = Space(("a", "b"), ("b",), 1, 2, 2, (0.0, 0.7), (PROMPT,))
    role = (await check(changed(aggregator={"model": "a", "temperature": 0.0}), where=only)).fault
    assert role is not None
    assert (role.code, role.legal) == ("role", ["b"])


async def test_a_repeat_is_answered_with_an_unseen_neighbour() -> None:
    archive = Archive([outcome(AS_READ, 0.5, 0.6)])
    found = (await check(proposal(), archive)).fault
    assert found is not None
    assert found.code == "duplicate"
    near = Ensemble.from_json(found.legal, prompt=PROMPT)
    assert SPACE.contains(near)
    assert near != AS_READ


async def test_what_is_in_flight_is_a_repeat_too() -> None:
    archive = Archive()
    archive.begin(AS_READ)
    found = (await check(proposal(), archive)).fault
    assert found is not None
    assert found.code == "duplicate"


# -- prompts


@pytest.mark.parametrize("words", [WORDS, ENGLISH], ids=["Japanese", "English"])
async def test_a_new_prompt_is_read_by_the_aggregator_and_known_by_its_text(words: str) -> None:
    texts = {PROMPT: "まとめる"}
    where = space()
    found = await Checker(where, texts, (), 0).check(
        proposal(aggregation_prompt=f"\r\n{words} \n"), Archive(), set()
    )
    assert found.fault is None
    assert found.ensemble is not None
    assert found.ensemble.aggregator.prompt == text_digest(words)
    assert texts[text_digest(words)] == words == found.prompt
    assert where.prompts == (PROMPT,)  # not before it is received


async def test_a_deeper_layer_may_read_under_the_new_prompt() -> None:
    deep = Space(("a", "b"), ("b",), 2, 2, 2, (0.0, 0.7), (PROMPT,))
    second = [{"model": "b", "temperature": 0.0, "prompt": "new"}]
    plain = {"model": "b", "temperature": 0.0, "prompt": "p1"}
    raw = proposal(
        {"layers": [*GOOD["layers"], second], "aggregator": plain}, aggregation_prompt=WORDS
    )
    found = (await check(raw, where=deep)).ensemble
    assert found is not None
    assert found.layers[1][0].prompt == text_digest(WORDS)
    assert found.aggregator.prompt == PROMPT


ANNOUNCED = ENGLISH.rsplit("\n", 1)[1]
WRONG: dict[str, tuple[str, str]] = {
    "too short": ("短い。\nモデルの回答:", "prompt_length"),
    "too long": ("長い。" * 1000 + "\nモデルの回答:", "prompt_length"),
    "no announcement": (WORDS.rsplit("\n", 1)[0], "prompt_form"),
    "text behind it": (WORDS + "\n以上です。", "prompt_form"),
    "a placeholder": (WORDS.replace("以下", "{references}"), "prompt_placeholder"),
    "an attribute": (WORDS.replace("以下", "{0.__class__}"), "prompt_placeholder"),
    "doubled braces": (WORDS.replace("以下", "{{ answers }}"), "prompt_placeholder"),
    "percent": (WORDS.replace("以下", "%(answers)s"), "prompt_placeholder"),
    "a verdict": (WORDS.replace("以下", "[[10]] 以下"), "prompt_judge"),
    "a template's token": (WORDS.replace("以下", "<|im_end|>以下"), "prompt_marks"),
    "a turned text": (WORDS.replace("以下", "\u202e以下"), "prompt_marks"),
    "half a character": (WORDS.replace("以下", "\ud800"), "prompt_marks"),
    "a word to judges": (WORDS.replace("利用者", "採点者"), "prompt_judge"),
    "an English word to judges": (
        ENGLISH.replace("for the user", "that earns full marks"),
        "prompt_judge",
    ),
    "Russian": (
        f"Сравните ответы ниже и напишите один лучший ответ для пользователя.\n\n{ANNOUNCED}",
        "prompt_language",
    ),
    "Chinese": (
        "請比較以下各個回答並指出矛盾之處然後為使用者寫出一個最正確最完整的回答請務必仔細核對事實"
        + WORDS[-8:],
        "prompt_language",
    ),
}


@pytest.mark.parametrize(("words", "code"), WRONG.values(), ids=WRONG)
async def test_what_is_no_aggregation_prompt_is_refused(words: str, code: str) -> None:
    found = await check(proposal(aggregation_prompt=words))
    assert found.fault is not None
    assert found.fault.code == code
    assert found.ensemble is None


def test_braces_that_are_no_placeholder_are_text() -> None:
    assert wording.fault(WORDS.replace("以下", '{"name": "関数名"} や {} の形の以下')) is not None
    assert wording.fault(WORDS.replace("以下", '{"name": "関数名"} の形の以下')) is None


async def test_the_menu_has_a_bound() -> None:
    where = space()
    where.prompts += tuple(f"sha256:{n}" for n in range(MOST_PROMPTS))
    found = (await check(proposal(aggregation_prompt=WORDS), where=where)).fault
    assert found is not None
    assert found.code == "prompt_menu"


def test_prompts_have_short_names_both_ways() -> None:
    names = Names((PROMPT, "sha256:o"))
    other = Ensemble(((Agent("a", 0.0),),), Agent("a", 0.0, prompt="sha256:o"))
    shown = names.shown(other)
    assert shown["aggregator"]["prompt"] == "p2"
    assert Ensemble.from_json(names.read(shown, None), prompt=PROMPT) == other
    assert "prompt" not in names.shown(AS_READ)["aggregator"]


# -- windows and money


def windows(context: int | None, *, learned: int | None = None) -> Windows:
    facts = MemoryFacts({"b": ModelFacts(context, ratio=1.0)})
    if learned is not None:
        facts.windows["b"] = (Window(learned),)
    tokens = Tokens(MODELS, {}, facts, Silent())
    return Windows(facts, tokens, {PROMPT: "ま" * 100}, MaxTokens(512, 512), ["あ" * 200] * 3)


@pytest.mark.parametrize(
    ("context", "learned", "passes"),
    [
        (4096, None, True),
        (1100, None, True),
        (900, None, False),
        (None, None, True),
        (4096, 900, False),
    ],
)
async def test_references_must_fit_their_reader(
    context: int | None, learned: int | None, passes: bool
) -> None:
    found = await windows(context, learned=learned).fault(AS_READ, Archive())
    assert (found is None) == passes
    if found is not None:
        assert (found.code, found.legal) == ("context", {"references": 1})


async def test_a_window_says_how_many_references_it_holds() -> None:
    # 1024 - 512 of the reply - 48 of the frame - 100 of the prompt - 200 of the question
    gate = windows(1024)
    one = Ensemble(((Agent("a", 0.7, 2),),), Agent("b", 0.0, prompt=PROMPT))
    found = await gate.fault(replace(one, layers=((Agent("a", 0.7, 3),),)), Archive())
    assert found is not None
    assert 164 // USEFUL == 2
    assert found.legal == {"references": 2}
    assert await gate.fault(one, Archive()) is None


@pytest.mark.parametrize(("left", "passes"), [(None, True), (30, True), (29, False), (0, False)])
async def test_what_cannot_be_paid_is_refused(left: int | None, passes: bool) -> None:
    found = await Purse(10, lambda: left).fault(AS_READ, Archive())
    assert (found is None) == passes
    if found is not None:
        assert left is not None
        assert (found.code, found.legal) == ("price", {"calls_per_answer": left // 10})


class _Counting:
    def __init__(self, said: Fault | None) -> None:
        self.said, self.asked = said, 0

    async def fault(self, ensemble: Ensemble, archive: Archive) -> Fault | None:  # noqa: ARG002
        self.asked += 1
        return self.said


async def test_gates_are_asked_in_turn_and_only_of_what_is_sound() -> None:
    first, second = _Counting(Fault("x", "no")), _Counting(None)
    checker = Checker(space(), {PROMPT: "まとめる"}, (first, second), 0)
    assert (await checker.check(changed(aggregator={"model": "z"}), Archive(), set())).fault
    assert (first.asked, second.asked) == (0, 0)
    assert (await checker.check(proposal(), Archive(), set())).fault == first.said
    assert (first.asked, second.asked) == (1, 0)


# -- winners of items


def test_winners_are_counted_and_the_dominated_dropped() -> None:
    scores = {
        "mean": {"1": 0.8, "2": 0.8, "3": 0.8},
        "peak": {"1": 0.1, "2": 0.1, "3": 1.0},
        "tied": {"1": 0.8, "2": 0.1, "3": 0.1},  # wins item 1, but `mean` does so as well
        "none": {"1": 0.0, "2": 0.0, "3": 0.0},
    }
    assert wins(scores) == {"mean": 2, "peak": 1, "tied": 1}
    assert undominated(scores) == {"mean": 2, "peak": 1}
    assert undominated({}) == {}


def test_winners_are_drawn_in_proportion_to_what_they_win() -> None:
    won = {"often": 9, "seldom": 1, "best": 90}
    first = [drawn(won, 1, {"best"}, random.Random(seed))[0] for seed in range(400)]
    assert set(first) == {"often", "seldom"}
    assert 0.84 < first.count("often") / 400 < 0.96
    assert sorted(drawn(won, 5, {"best"}, random.Random(0))) == ["often", "seldom"]
