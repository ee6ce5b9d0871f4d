"""Tables: what models wrote is shown, never obeyed, and columns line up in any script."""

from __future__ import annotations

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from judges.statistics import Estimate
from kumiawase import tables


def printed(*what: object, width: int = 100, terminal: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=terminal, highlight=False).print(*what)
    return out.getvalue()


HOSTILE = {
    "colour": "\x1b[31m赤\x1b[0m",
    "link": "\x1b]8;;http://evil.example\x1b\\ここ\x1b]8;;\x1b\\",
    "title": "\x1b]0;名前\x07",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "C1": "\x9b31m",
    "over": "正しい\r偽物",
    "back": "abc\b\b\bxyz",
    "right to left": "\u202egpj.exe",
    "half a character": "\ud800",
    "nul": "\0",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("terminal", [True, False])
def test_control_characters_are_shown_and_not_sent(text: str, terminal: bool) -> None:
    for shown in (
        printed(tables.plain(text), terminal=terminal),
        printed(tables.table(("a",), [(text,)]), terminal=terminal),
    ):
        assert text not in shown
        ours = re.sub(r"\x1b\[[01]m", "", shown)  # the heading is bold on a terminal
        assert all(c.isprintable() or c == "\n" for c in ours)
        assert "\\" in shown
        shown.encode()


def test_each_is_written_so_that_it_can_be_read() -> None:
    assert tables.visible("\x1b[1m太\x07\t\ud800") == r"\x1b[1m太\x07\t\ud800"


def test_text_as_people_write_it_stays_as_it_is() -> None:
    text = "全角　空白、改行\n「引用」 — ①②③ ㈱ 𠮷野家 😀 e\u0301"
    assert tables.visible(text) == text
    assert printed(tables.plain(text)) == text + "\n"


def test_markup_in_a_name_is_a_name() -> None:
    assert printed(tables.plain("[bold]x[/bold] [link=http://x]y[/link]")).startswith("[bold]x")
    assert "[red]鶴" in printed(tables.table(("model",), [("[red]鶴",)]))


def test_columns_line_up_in_every_script() -> None:
    rows = [
        ("鶴は千年", "数学", "7.0"),
        ("kame", "コード生成", "10.0"),
        ("ｶﾀｶﾅ", "x", "9.25"),
        ("𠮷😀", "語学　全角", "—"),
    ]
    lines = printed(tables.table(("model", "category", "score"), rows, "score")).splitlines()
    assert len(lines) == 5
    assert len({cell_len(line) for line in lines}) == 1  # the last column stands right
    starts = []
    for line, category in zip(lines, ("category", *(row[1] for row in rows)), strict=True):
        starts.append(cell_len(line[: line.index(category)]))
    assert len(set(starts)) == 1


def test_a_pipe_gets_whole_lines_without_padding(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("長い" * 400, "7.0"), ("a", "b" * 900), ("c", "")]
    out = tables.console()
    out.print(tables.table(("model", "note"), rows))
    out.print(tables.plain("語" * 900))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["model", "note"],
        ["長い" * 400, "7.0"],
        ["a", "b" * 900],
        ["c"],
        ["語" * 900],
    ]
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize(
    ("estimate", "shown"),
    [(None, "—"), (Estimate(0.787, 0.75, 0.8213, 3), "7.87 [7.50, 8.21]")],
)
def test_scores_are_of_ten(estimate: Estimate | None, shown: str) -> None:
    assert tables.score(estimate) == shown
