"""The documents say what is true of the program."""

from __future__ import annotations

import re

import pytest

from kumiawase.cli import VERBS
from tests.conftest import ROOT


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_every_verb_stands_in_the_readme_and_no_other(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)", text, flags=re.MULTILINE)
    assert listed == list(VERBS)


def test_the_two_readmes_show_the_same_commands_and_outputs() -> None:
    blocks = [
        re.findall(
            r"^```(\w+)\n(.*?)^```", (ROOT / name).read_text("utf-8"), re.DOTALL | re.MULTILINE
        )
        for name in ("README.md", "README.ja.md")
    ]
    bare = [[(kind, re.sub(r" *#.*", "", text)) for kind, text in found] for found in blocks]
    assert bare[0] == bare[1]


@pytest.mark.parametrize("path", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")))
def test_every_link_to_a_file_leads_somewhere(path: object) -> None:
    from pathlib import Path

    assert isinstance(path, Path)
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name}: {target}"


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_no_placeholder_is_left(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.findall(r"^@\w+@$", text, flags=re.MULTILINE)
    assert text.count("held-out items") >= 2  # the outputs are really there


def test_every_kind_of_rule_is_described() -> None:
    from judges.rules import KINDS

    text = (ROOT / "docs/design/suite.md").read_text(encoding="utf-8")
    table = text.partition("## Rules, in full")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", table, flags=re.MULTILINE))
    assert rows.keys() - {"kind"} == KINDS.keys()
    for kind, options in rows.items():
        if kind != "kind":
            assert all(f"`{option}`" in options for option in KINDS[kind].options), kind
