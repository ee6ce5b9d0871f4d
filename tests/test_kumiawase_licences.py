"""Aim: nobody takes a model home to a business whose licence forbids that without being told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from data import catalogue
from kumiawase import licences
from kumiawase.settings.forms import ModelForm
from tests.support.program import JUDGE, MEMBERS, REPORT_JUDGE, pool, prepare, run, settings

FREE, FORBIDDING = "cyberagent/calm3-22b-chat", "CohereForAI/aya-expanse-8b"


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder where every member stands for a model that no business may use."""
    folder = tmp_path_factory.mktemp("licences")
    with pool(folder / "log.jsonl") as served:
        form = settings(served.url, search={"trials": 1, "layers": 1, "confirm": 1})
        for name in MEMBERS:
            form["models"][name]["catalogue"] = FORBIDDING
        form["models"][JUDGE]["catalogue"] = FREE
        prepare(folder, form)
        assert run(folder, "search").code == 0
        yield folder


def test_doctor_names_every_forbidding_licence(searched: Path) -> None:
    done = run(searched, "doctor", "--json")
    assert done.code == 0, done.err
    told = {finding["model"]: finding["licence"] for finding in done.json}
    assert told[MEMBERS[0]] == "CC-BY-NC-4.0: FORBIDS commercial use"
    assert told[JUDGE] == "Apache-2.0: commercial use allowed"
    assert told[REPORT_JUDGE] == "unknown: not in the catalogue"
    assert [line for line in done.err.splitlines() if line.startswith("licence: ")] == [
        f"licence: {name}: CC-BY-NC-4.0: FORBIDS commercial use" for name in sorted(MEMBERS)
    ]


def test_an_export_holds_its_licences_and_says_what_they_forbid(searched: Path) -> None:
    done = run(searched, "export", "-o", "best.yaml")
    assert done.code == 0, done.err
    written = yaml.safe_load((searched / "best.yaml").read_text("utf-8"))
    assert set(written["licences"]) == set(written["models"])
    assert set(written["licences"].values()) == {"CC-BY-NC-4.0: FORBIDS commercial use"}
    flagged = [line for line in done.err.splitlines() if line.startswith("licence: ")]
    assert len(flagged) == len(written["models"])
    answer = run(searched, "ask", "best.yaml", "日本の首都はどこですか。")
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    ("id_", "text"),
    [
        (FREE, "Apache-2.0: commercial use allowed"),
        ("google/gemma-2-2b-jpn-it", "Gemma Terms of Use: commercial use with conditions"),
        (
            "karakuri-ai/karakuri-lm-8x7b-instruct-v0.1",
            "Apache-2.0 (awesome-japanese-llm, which doubts it): commercial use unclear",
        ),
        ("google/gemma-3-27b-it", "unknown: the catalogue has none"),
        ("sim/alpha", "unknown: not in the catalogue"),
    ],
)
def test_a_licence_in_words(id_: str, text: str) -> None:
    assert licences.describe(catalogue.find(id_)) == text


def test_the_settings_say_which_model_is_meant() -> None:
    forms = {
        "alias": ModelForm(endpoint="e", catalogue=FORBIDDING),
        "served": ModelForm(endpoint="e", served_name=FORBIDDING),
        FORBIDDING: ModelForm(endpoint="e"),
        "free": ModelForm(endpoint="e", catalogue=FREE),
        "unknown": ModelForm(endpoint="e"),
    }
    flagged = licences.warnings(forms.items())
    assert [line.partition(": ")[0] for line in flagged] == ["alias", "served", FORBIDDING]
