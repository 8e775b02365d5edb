"""Everything that can go wrong in a running program: one tree, named by phase."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from shopflow.problem import Problem, render


class ShopflowError(Exception):
    """The base of every error that shopflow raises on purpose."""


class RulesInvalid(ShopflowError):  # noqa: N818 - the name is the claim
    """Raised when the rulebook cannot be built; carries every problem found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n\n".join(render(problem) for problem in problems))
        self.problems = tuple(problems)


class CompileError(ShopflowError):
    """Raised when a condition cannot be compiled; line and column count from 1 in its source."""

    def __init__(
        self,
        message: str,
        *,
        line: int = 1,
        column: int = 1,
        length: int = 1,
        hint: str = "",
        code: str = "SF101",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column
        self.length = length
        self.hint = hint
        self.code = code


class EvaluationError(ShopflowError):
    """Raised when a compiled condition fails on the values it is given."""


class DecideAgain(ShopflowError):  # noqa: N818 - the name is the claim
    """Raised when a decision asks for a fact that was not at hand; nothing was decided.

    It is no fault of the input: once the fact is there, the same input is decided.
    """


class TemplateError(ShopflowError):
    """Raised when a template cannot be rendered with the values it is given."""


class WrongRequest(TemplateError):  # noqa: N818 - the name is the claim
    """Raised when a recommendation is asked for in a way that has no answer."""


class TooFewProducts(ShopflowError):  # noqa: N818 - the name is the claim
    """Raised when fewer products are left to recommend than a message needs to make sense."""


class SettingsError(ShopflowError):
    """Raised when the environment or shopflow.yaml is wrong; says which setting."""


class BundleRefused(ShopflowError):  # noqa: N818 - the name is the claim
    """Raised when a file is no bundle, was changed, or is of a newer program; nothing was used."""


class DeployRefused(ShopflowError):  # noqa: N818 - the name is the claim
    """Raised when rules are not put to work; says each reason, and what would let them pass."""


class PluginError(ShopflowError):
    """Raised when a channel plugin cannot be loaded; names the package at fault."""


class StoreError(ShopflowError):
    """Raised when the state cannot be read or written.

    `retryable` says that the reason passes by itself; the batch is kept whole or not at all, and
    where it was cut off while committing, its stream's cursor tells which.
    """

    def __init__(self, message: str = "", *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class Unstorable(StoreError):  # noqa: N818 - the name is the claim
    """Raised when one value cannot be kept, by its size or content; only its input is at fault."""


class Conflict(StoreError):  # noqa: N818 - the name is the claim
    """Raised when another reader took over this partition; nothing was written."""


class FailureReason(StrEnum):
    """Why a channel could not hand a message over; also the label in metrics."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    RATE_LIMITED = "rate_limited"
    REJECTED = "rejected"
    BAD_ADDRESS = "bad_address"
    AUTH = "auth"
    TEMPLATE = "template"
    SETTINGS = "settings"


class ChannelError(ShopflowError):
    """Raised by a channel that cannot work at all; a single message fails by its receipt."""

    def __init__(self, reason: FailureReason, *, retryable: bool, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.retryable = retryable
