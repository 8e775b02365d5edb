"""What a database's refusal means: who is at fault, whether trying again helps, what to do.

PostgreSQL names each by a code of five signs, of which the first two are its class; a server that
could not be reached gave none, so that its words have to do.
"""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """A refusal, in a sentence with what to do."""

    says: str
    #: The same again may go well: the reason passes by itself.
    passing: bool = False
    #: One value is at fault; the rest would have been kept.
    of_value: bool = False


_ADVICE = {
    "08": "it cannot be reached; check that the server runs and that the URL is right",
    "22": "one value cannot be kept there",
    "28": "it refuses the user or the password; check `database` in shopflow.yaml",
    "3D": "there is no such database; make it with createdb",
    "40": "other workers wrote the same rows at once; nothing was kept, try again",
    "42": "its tables do not fit this program, or its user may not use them; run "
    "`shopflow db upgrade`, or check the user's rights",
    "53": "the server has no room or no connection left; look at its log",
    "55": "another process kept a row locked; end that process, or try again",
    "57": "the server is stopping or starting, or ended this connection; what was not committed "
    "is not kept, try again once it runs",
}
#: No connection left, which passes; a full disk has another code of that class.
_TOO_MANY_CONNECTIONS = "53300"
#: Classes of what passes by itself.
_PASSING = frozenset({"08", "40", "55", "57"})
#: Also what a row is told whose day was forgotten at that moment.
_NO_PARTITION = "23514"
#: Two workers made the table of one day at once.
_TABLE_EXISTS = "42P07"

#: What is said before there is a session that could carry a code, or after it.
_SAID_WITHOUT_CODE = {
    "connection is lost": "57P01",
    "closed the connection unexpectedly": "57P01",
    "too many clients": _TOO_MANY_CONNECTIONS,
    "too many connections": _TOO_MANY_CONNECTIONS,
    "connection slots are reserved": _TOO_MANY_CONNECTIONS,
    "authentication failed": "28P01",
    "no pg_hba.conf entry": "28000",
    "the database system is": "57P03",
}


def fault_of(error: Exception, name: str) -> Fault:
    """The fault of an error of the driver, or of SQLAlchemy around it."""
    cause = getattr(error, "orig", None) or error
    said = str(cause).strip().partition("\n")[0]
    code = getattr(cause, "sqlstate", None) or _code_of(str(cause))
    advice = _ADVICE.get(code[:2])
    return Fault(
        f"the database {name}" + (f": {advice} ({said})" if advice else f": {said}"),
        passing=code[:2] in _PASSING
        or code in {_TOO_MANY_CONNECTIONS, _NO_PARTITION, _TABLE_EXISTS},
        of_value=code.startswith("22"),
    )


def _code_of(said: str) -> str:
    for sign, code in _SAID_WITHOUT_CODE.items():
        if sign in said:
            return code
    if 'database "' in said and "does not exist" in said:
        return "3D000"
    return "08000"
