"""What a mail server's answer means for the message: a receipt, without a word of the answer.

Servers like to repeat the address in their answers, so only the codes are passed on.
"""

from __future__ import annotations

import re

from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPResponseException,
    SMTPTimeoutError,
)

from shopflow.channel import FailureReason, Receipt

_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
_AUTH_CODES = frozenset({530, 534, 535, 538})
_MAILBOX_CODES = frozenset({550, 551, 553})
#: Enhanced codes under 5.1 that speak of the sender's address, not of the recipient's.
_SENDER_CODES = frozenset({"5.1.7", "5.1.8", "5.1.9"})
#: Below this an answer is no refusal; the library raises on it when it makes no sense.
_REFUSALS = 400
_CLOSING = 421
_TOO_MUCH = 452
_PERMANENT = 500


def from_code(stage: str, code: int, text: str) -> Receipt:
    """The receipt for a refusal with this code; stage is the command that was refused."""
    match = _ENHANCED.match(text.strip())
    enhanced = match[0] if match else ""
    detail = f"{stage} refused: {code} {enhanced}".rstrip()
    if code in _AUTH_CODES or stage == "AUTH":
        # Nothing is wrong with the message: it waits until the login is mended.
        return Receipt.failed(FailureReason.AUTH, retryable=True, detail=detail)
    if code < _PERMANENT:
        return Receipt.failed(_passing_reason(code, enhanced), retryable=True, detail=detail)
    bad = _is_bad_address(stage, code, enhanced)
    reason = FailureReason.BAD_ADDRESS if bad else FailureReason.REJECTED
    return Receipt.failed(reason, retryable=False, detail=detail)


def from_failure(stage: str, error: Exception) -> Receipt:
    """The receipt for an attempt that failed before the mail was handed over."""
    if isinstance(error, SMTPResponseException):
        if error.code < _REFUSALS:
            return _gibberish(stage, error.code)
        if isinstance(error, SMTPAuthenticationError):
            stage = "AUTH"
        return from_code(stage, error.code, error.message)
    return Receipt.failed(_lost(error), retryable=True, detail=f"{stage}: {type(error).__name__}")


def from_silence(error: Exception) -> Receipt:
    """The receipt for a mail that was handed over without an answer."""
    return Receipt.uncertain(_lost(error), f"DATA: no answer, {type(error).__name__}")


def _gibberish(stage: str, code: int) -> Receipt:
    detail = f"{stage}: an answer that makes no sense, {code}"
    if stage == "DATA":
        return Receipt.uncertain(FailureReason.REJECTED, detail)
    return Receipt.failed(FailureReason.REJECTED, retryable=True, detail=detail)


def _lost(error: Exception) -> FailureReason:
    if isinstance(error, (SMTPTimeoutError, TimeoutError)):
        return FailureReason.TIMEOUT
    if isinstance(error, (SMTPConnectError, OSError)):
        return FailureReason.CONNECTION
    # What is left: the server cannot do what the settings ask for, such as STARTTLS or AUTH.
    return FailureReason.SETTINGS if isinstance(error, SMTPException) else FailureReason.CONNECTION


def _passing_reason(code: int, enhanced: str) -> FailureReason:
    if code == _CLOSING:
        return FailureReason.CONNECTION
    if code == _TOO_MUCH or enhanced.startswith("4.7."):
        return FailureReason.RATE_LIMITED
    return FailureReason.REJECTED


def _is_bad_address(stage: str, code: int, enhanced: str) -> bool:
    if enhanced:
        known = enhanced.startswith("5.1.") or enhanced == "5.2.1"
        return known and enhanced not in _SENDER_CODES and stage != "MAIL"
    return stage == "RCPT" and code in _MAILBOX_CODES
