"""Every error that kumiawase raises on purpose.

::

    KumiawaseError
    ├── UserError                 the user must act: one line, exit code 2
    │   ├── ConfigError           kumiawase.yaml, an option, an ensemble file
    │   ├── SuiteError            a suite, an item, a line of a file
    │   ├── StudyError            a study pinned differently, locked or unknown
    │   └── EndpointError         nobody answers at an endpoint, or the key is wrong
    ├── RequestError              one request brought no completion: data, never an answer
    │   ├── TransientError        another attempt may succeed
    │   │   ├── ConnectionFailedError
    │   │   ├── TimedOutError
    │   │   ├── RateLimitedError
    │   │   ├── ServerFailedError
    │   │   ├── MalformedReplyError
    │   │   ├── EmptyReplyError
    │   │   ├── FilteredError
    │   │   └── CutShortError
    │   └── RejectedError         the server would say the same again
    │       ├── UnauthorizedError
    │       ├── DialectError
    │       └── ContextOverflowError
    ├── VerdictError              a judge's reply holds no readable verdict
    ├── BudgetSpentError          the next request would pass a limit of the budget
    └── StoreError                the database cannot be read or written
"""

from __future__ import annotations

from typing import ClassVar


class KumiawaseError(Exception):
    """Root of the tree."""


class UserError(KumiawaseError):
    """Something only the user can put right; its text is one line: place, fault, remedy."""

    def __init__(self, fault: str, *, place: str = "", remedy: str = "") -> None:
        self.place, self.fault, self.remedy = place, fault, remedy
        line = f"{place}: {fault}" if place else fault
        super().__init__(f"{line}; {remedy}" if remedy else line)


class ConfigError(UserError):
    """kumiawase.yaml, a command-line option or an ensemble file is wrong."""


class SuiteError(UserError):
    """A suite cannot be used: no such file, no item, a line that does not fit.

    Attributes:
        others: Further faults in the same place, for those who ask for all of them.
    """

    others: tuple[SuiteError, ...] = ()


class StudyError(UserError):
    """A study is pinned to something else, held by another search, or unknown."""


class EndpointError(UserError):
    """Nobody answers at an endpoint, or it refuses the key."""


class RequestError(KumiawaseError):
    """One request brought no completion.

    Attributes:
        outcome: The word the ledger keeps for it.
        retry_after: Seconds the server asked to be left alone, when it said so.
        usage: Prompt and completion tokens that were counted although nothing usable came.
        model: The member of an ensemble that was asked; None where another was.
    """

    outcome: ClassVar[str] = "failed"
    model: str | None = None

    def __init__(
        self,
        detail: str,
        *,
        retry_after: float | None = None,
        usage: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.usage = usage


class TransientError(RequestError):
    """Another attempt may succeed."""


class ConnectionFailedError(TransientError):
    """No connection, or it broke before the reply was whole."""

    outcome = "connection"


class TimedOutError(TransientError):
    """The attempt's deadline passed."""

    outcome = "timeout"


class RateLimitedError(TransientError):
    """The server asked for fewer requests (429)."""

    outcome = "rate_limited"


class ServerFailedError(TransientError):
    """The server failed (5xx, 408, 409)."""

    outcome = "server_error"


class MalformedReplyError(TransientError):
    """The status was 200 and the body no chat completion."""

    outcome = "malformed"


class EmptyReplyError(TransientError):
    """The completion holds no text."""

    outcome = "empty"


class FilteredError(TransientError):
    """The server's content filter withheld the reply."""

    outcome = "filtered"


class CutShortError(TransientError):
    """The reply ends in the middle, and no token limit explains it."""

    outcome = "cut"


class RejectedError(RequestError):
    """The server refused this request and would refuse it again (4xx)."""

    outcome = "rejected"


class UnauthorizedError(RejectedError):
    """The key is missing, wrong or without the right (401, 403)."""

    outcome = "unauthorized"


class DialectError(RejectedError):
    """The server does not take the form of the request; in another form it may.

    Attributes:
        refused: `messages` for the roles and their order, else the name of a parameter.
    """

    def __init__(
        self, detail: str, *, refused: str = "messages", retry_after: float | None = None
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.refused = refused


class ContextOverflowError(RejectedError):
    """The prompt does not fit the model's context.

    Attributes:
        limit: Tokens of prompt and reply together there is room for, where the server says so.
        prompt: Tokens that it counted in the prompt, where it says so.
    """

    outcome = "context_overflow"

    def __init__(
        self,
        detail: str,
        *,
        limit: int | None = None,
        prompt: int | None = None,
        retry_after: float | None = None,
        usage: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(detail, retry_after=retry_after, usage=usage)
        self.limit = limit
        self.prompt = prompt


class VerdictError(KumiawaseError):
    """A judge's reply holds no readable verdict."""


class BudgetSpentError(KumiawaseError):
    """The next request would pass a limit of the budget: `limit` as kumiawase.yaml names it."""

    def __init__(self, text: str, limit: str = "calls") -> None:
        self.limit = limit
        super().__init__(text)


class StoreError(KumiawaseError):
    """The database cannot be read or written."""
