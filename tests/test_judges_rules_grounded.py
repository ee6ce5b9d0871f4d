"""What is cited must exist and what is quoted must stand there; the rest is no claim."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from data.errors import SuiteError
from data.suites.item import Document, Item
from judges.rules import check_item, validate

DOCUMENTS = (
    Document("1", "開館時間", "図書館は午前9時に開館し、午後7時に閉館します。"),
    Document("2", "休館日", "毎月第三月曜日は休館です。\n祝日は開館します。"),
)
ITEM = Item(
    "q", "資料", ("図書館はいつ開きますか。「子ども読書の日の催し」もありますか。",), "search",
    documents=DOCUMENTS, rule={"kind": "grounded"},
)  # fmt: skip


def worth(answer: str, **options: Any) -> float | None:
    item = replace(ITEM, rule={"kind": "grounded", **options})
    return check_item(item, answer).value


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("午前9時です[1]。", 1),
        ("午前9時です【１】。月曜は休みです［資料2］。", 1),
        ("午前9時です[1, 2]。", 1),
        ("午前9時です[1][2]。", 1),
        ("午前9時です[1-2]。", 1),
        ("午前9時です[文書1]。", 1),
        ("午前9時です[3]。", 0),
        ("午前9時です[1][3]。", 0.5),
        ("午前9時です[1-4]。", 0.5),
        ("［2024］年から午前9時です[1]。", 1),
        ("午前9時です。", 0),
        ("午前9時です。[注] [ ] [x](https://example.com) [1](https://example.com)", 0),
        ("「図書館は午前９時に開館し、午後7時に閉館します」とあります[1]。", 1),
        ("「祝日は、開館します。毎月第三月曜日」とあります[2]。", 0.5),
        ("「図書館は午前十時に開館します」とあります[1]。", 0.5),
        ("「子ども読書の日の催し」については書かれていません[1]。", 1),
        ("「休館日」は月曜です[2]。", 1),
    ],
)
def test_citations_and_quotations(answer: str, value: float) -> None:
    assert worth(answer) == value


def test_documents_that_have_to_be_cited() -> None:
    assert worth("[1][2]", cites=["1", "2"]) == 1
    assert worth("[1]", cites=["1", "2"]) == pytest.approx(2 / 3)
    assert worth("どこにもありません。", cites=["1"]) == 0


def test_quotations_that_are_asked_for() -> None:
    quote = "「毎月第三月曜日は休館です」"
    assert worth(f"{quote}[2]", quotes=1) == 1
    assert worth("[2]", quotes=1) == 0.5
    assert worth(f"{quote}[2]", quotes=2) == pytest.approx(2 / 3)


def test_ids_may_be_words() -> None:
    documents = (Document("規則-4", "規則", "土足は禁止です。"),)
    item = replace(ITEM, documents=documents)
    assert check_item(item, "土足は禁止です[規則-4]。").value == 1
    assert check_item(item, "土足は禁止です[規則-9]。").value == 0


def test_what_is_wrong_is_named() -> None:
    found = check_item(ITEM, "「とても大切な嘘の引用です」[7]")
    assert found.explanation == (
        "wrong: [7] is no document, 「とても大切な嘘の引用です」 stands in no document"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"documents": ()}, "no documents"),
        ({"rule": {"kind": "grounded", "cites": ["9"]}}, "no document of the item"),
        ({"rule": {"kind": "grounded", "quotes": 0}}, "`quotes`"),
        ({"rule": {"kind": "grounded", "cite": ["1"]}}, "`cite`"),
    ],
)
def test_a_rule_that_fits_no_document_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SuiteError, match=said):
        validate([replace(ITEM, **change)])
