"""References into a reader's window, and what was cut.

A window holds the reply, the messages and the references. What it cannot hold is cut from the
longest references, all to the same cap, at the end of a sentence; order and numbers stay.
docs/design/engine.md says why every request is built in one way only.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from data.digest import digest
from data.errors import ContextOverflowError
from endpoints.facts import Kept, PromptFacts, Window
from endpoints.request import Completion, Request
from endpoints.tokens import PER_MESSAGE, PER_PROMPT, Tokens, units

ELLIPSIS = "…"
SMALLEST = 8  # tokens a reference; with less room for each, the server is left to refuse
NARROWER = 0.75  # of the room, where an overflow tells nothing that helps
SAFETY = 0.97
CORRECTIONS = 6  # overflows of one model that teach something for other requests
LONGEST_STOP = 16  # characters: what stands at the end of a sentence
TRIES = 5  # to cut a text by a tokenizer that was guessed
CUT_COUNTED, CUT_ESTIMATED = 0.6, 0.4  # of our count: a server that counts less has cut
LEAST_CUT = 200  # tokens of a prompt, below which no count says anything
LEAST_SAID = 32  # tokens that no window is smaller than: a server that skips cached ones says less

Build = Callable[[Sequence[str]], Request]

# A run of full stops with the brackets they stand in; in Latin script a blank follows.
_END = re.compile(r"(?:[。！？!?．\n]+|\.(?=\s))[」』）)】〉》\"'”’]*")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A request that fits, as far as is known.

    Attributes:
        window: What it was built for; None where nothing is known of the reader.
        kept: What was kept of each reference; empty where all of all was.
        hopeless: Whether the window cannot even hold the bare prompt; the server decides then.
    """

    request: Request
    window: Window | None = None
    kept: tuple[Kept, ...] = ()
    hopeless: bool = False


class Fitter:
    """Fits requests into the windows of the models that read them.

    Args:
        tokens: Counts.
        facts: Windows, and how requests were fitted before.
        known: Whether a request is answered or on its way.
    """

    def __init__(
        self, tokens: Tokens, facts: PromptFacts, known: Callable[[Request], bool]
    ) -> None:
        self._tokens = tokens
        self._facts = facts
        self._known = known
        self._learning = asyncio.Lock()

    async def fit(self, build: Build, references: Sequence[str]) -> Fitted:
        """Return the request that `build` makes of the references, cut where they must be.

        The request is built for the frozen window or, where overflows have taught others, for the
        oldest window under which it has been answered already, and else for the newest.
        """
        whole = build(references)
        windows = self._windows(whole.model)
        newest = await self._fit(build, references, windows[-1])
        if len(windows) == 1 or newest.request == whole:  # what the narrowest holds, all hold
            return newest
        for window in windows[:-1]:
            older = await self._fit(build, references, window)
            if self._known(older.request):
                return older
        return newest

    async def refit(
        self,
        build: Build,
        references: Sequence[str],
        fitted: Fitted,
        error: ContextOverflowError,
    ) -> Fitted | None:
        """Return the request built anew after an overflow; None where nothing would change."""
        request, before = fitted.request, fitted.window
        if fitted.hopeless and not _smaller(error, before):
            return None
        count = self._estimate(request) + _tools(request)
        needed = _corrected(before, request, count, error)
        async with self._learning:
            newest = self._windows(request.model)[-1]
            if newest == before or newest is None or not newest.within(needed):
                newest = needed if newest is None else needed.narrowed(newest)
                if len(self._facts.corrections(request.model)) < CORRECTIONS:
                    await self._facts.correct(request.model, newest)
        again = await self._fit(build, references, newest)
        return None if again.request == request else again

    async def prompt_cut(self, request: Request, completion: Completion) -> bool:
        """Return whether the server read far less than it was sent; learn from it if not."""
        said, texts = completion.prompt_tokens, [m["content"] for m in request.messages]
        if completion.estimated or said < LEAST_SAID:
            return False
        count = self._estimate(request)
        if count > LEAST_CUT and said < CUT_COUNTED * count:
            counts = await self._tokens.count(request.model, texts)
            share = CUT_COUNTED if self._tokens.exact(request.model) else CUT_ESTIMATED
            if sum(counts) > LEAST_CUT and said < share * sum(counts):
                return True
        self._tokens.learn(request.model, texts, said)
        return False

    def _windows(self, model: str) -> list[Window | None]:
        context = self._facts.facts(model).context
        frozen = None if context is None else Window(context)
        return [frozen, *self._facts.corrections(model)]

    async def _fit(self, build: Build, references: Sequence[str], window: Window | None) -> Fitted:
        whole = build(references)
        if window is None:
            return Fitted(whole)
        # A reply that could fill the window leaves no room for a prompt.
        limit = min(whole.max_tokens, window.tokens // 2)
        whole = whole if limit == whole.max_tokens else replace(whole, max_tokens=limit)
        room = int((window.tokens - limit - _frame(whole)) * window.scale)
        if sum(_size(m["content"]) for m in whole.messages) <= room:
            return Fitted(whole, window)  # no tokenizer makes more tokens than bytes
        if not references:
            return Fitted(whole, window, hopeless=self._estimate(whole) > room)
        kept = await self._kept(build, references, whole.model, window, room)
        if not kept:
            return Fitted(whole, window, hopeless=True)
        if not any(one.characters for one in kept):
            return Fitted(whole, window)
        texts = [_beginning(t, one.characters) for t, one in zip(references, kept, strict=True)]
        return Fitted(replace(build(texts), max_tokens=limit), window, kept)

    async def _kept(
        self,
        build: Build,
        references: Sequence[str],
        model: str,
        window: Window,
        room: int,
    ) -> tuple[Kept, ...]:
        """Return what to keep of each reference, as it was decided the first time; else nothing.

        By the next time a tokenizer may be gone, or a ratio learned better; so it is kept.
        """
        rest = [m["content"] for m in build([""] * len(references)).messages]
        key = digest([window.tokens, window.scale, room, rest, list(references)])
        found = self._facts.fit(model, key)
        if found is None:
            await self._facts.keep(model, key, await self._plan(model, rest, references, room))
            found = self._facts.fit(model, key)
            assert found is not None
        return found

    async def _plan(
        self, model: str, rest: Sequence[str], references: Sequence[str], room: int
    ) -> tuple[Kept, ...]:
        counts = await self._tokens.count(model, [*rest, *references])
        room -= sum(counts[: len(rest)])
        counts = counts[len(rest) :]
        if sum(counts) <= room:
            return tuple(Kept(0, count, count) for count in counts)
        if room < SMALLEST * len(references):
            return ()
        cap = equal_cap(counts, room)
        return tuple(
            [
                await self._cut(model, text, count, cap)
                for text, count in zip(references, counts, strict=True)
            ]
        )

    async def _cut(self, model: str, text: str, count: int, cap: int) -> Kept:
        if count <= cap:
            return Kept(0, count, count)
        target, kept = cap * units(text) / count, Kept(-1, count, 1)
        for _ in range(TRIES):
            characters = beginning(text, target)
            (after,) = await self._tokens.count(model, [_beginning(text, characters)])
            kept = Kept(characters, count, after)
            if after <= cap:
                break
            target *= min(cap / after, 1) * SAFETY
        return kept

    def _estimate(self, request: Request) -> int:
        texts = (m["content"] for m in request.messages)
        return sum(self._tokens.estimate(request.model, text) for text in texts)


def equal_cap(counts: Sequence[int], room: int) -> int:
    """Return the largest cap under which all counts together fit into the room.

    What the short ones leave of their share goes to the long ones.
    """
    rest = room
    for place, count in enumerate(sorted(counts)):
        share = rest // (len(counts) - place)
        if count > share:
            return share
        rest -= count
    return max(counts, default=0)


def beginning(text: str, target: float) -> int:
    """Return how many characters to keep of a text for so many `units`.

    The beginning ends with a sentence, unless that would give away half of it; then it is
    negative, and the sentence is broken off.
    """
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if units(text[:middle]) <= target else (low, middle - 1)
    found = (stop.end() for stop in _END.finditer(text, low // 2, low + LONGEST_STOP))
    ends = [end for end in found if end <= low]
    if ends:
        return ends[-1]
    return -max(1, low - 1)  # the ellipsis wants its place


def _beginning(text: str, characters: int) -> str:
    if characters == 0:
        return text
    kept = text[: abs(characters)].rstrip()
    return kept + ELLIPSIS if characters < 0 else kept


def _frame(request: Request) -> int:
    return PER_PROMPT + PER_MESSAGE * len(request.messages) + _tools(request)


def _tools(request: Request) -> int:
    """Return at most how many tokens the tools make that are sent as such: their bytes."""
    return _size(json.dumps(request.tools, ensure_ascii=False)) if request.tools else 0


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _smaller(error: ContextOverflowError, window: Window | None) -> bool:
    return error.limit is not None and (window is None or error.limit < window.tokens)


def _corrected(
    window: Window | None, request: Request, count: int, error: ContextOverflowError
) -> Window:
    """Return a window that an overflow shows to be the truth, and never one as wide as before."""
    before = window or Window(error.limit or count + request.max_tokens)
    tokens = min(error.limit or before.tokens, before.tokens)
    scale = before.scale
    if error.prompt and error.prompt > count:
        scale = min(scale, SAFETY * count / error.prompt)
    if not _smaller(error, window) and scale == before.scale:
        scale *= NARROWER
    return Window(tokens, scale)
