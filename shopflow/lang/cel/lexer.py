"""Words of a condition for cel-python's grammar: exact strings, quoted fields, helpful errors.

The grammar's own word patterns take time exponential in backslashes and read raw strings wrongly.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from lark import Token
from lark.common import LexerConf
from lark.lexer import Lexer, PatternStr

from shopflow.lang.cel.place import error_at

_WORDS = re.compile(
    r"""
      (?P<SPACE>(?:[\t\n\f\r\ ]|//[^\n]*)+)
    | (?P<BYTES_LIT>[bB](?:
          [rR](?:\"\"\"(?s:.)*?\"\"\"|'''(?s:.)*?'''|"[^"\r\n]*"|'[^'\r\n]*')
        | \"\"\"(?:[^\\]|\\.)*?\"\"\" | '''(?:[^\\]|\\.)*?'''
        | "(?:[^"\\\r\n]|\\.)*" | '(?:[^'\\\r\n]|\\.)*'))
    | (?P<STRING_LIT>
          [rR](?:\"\"\"(?s:.)*?\"\"\"|'''(?s:.)*?'''|"[^"\r\n]*"|'[^'\r\n]*')
        | \"\"\"(?:[^\\]|\\.)*?\"\"\" | '''(?:[^\\]|\\.)*?'''
        | "(?:[^"\\\r\n]|\\.)*" | '(?:[^'\\\r\n]|\\.)*')
    | (?P<FLOAT_LIT>(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
    | (?P<UINT_LIT>(?:0x[0-9a-fA-F]+|\d+)[uU])
    | (?P<INT_LIT>0x[0-9a-fA-F]+|\d+)
    | (?P<IDENT>[_a-zA-Z][_a-zA-Z0-9]*)
    | (?P<QUOTED>(?<=\.)`[_a-zA-Z0-9.\-/\ ]+`)
    | (?P<SIGN>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE | re.ASCII,
)

#: What people write in other languages, and what CEL has for it.
HINTS = {
    "=": "a single = is no operator; == compares",
    "&": "write && for 'and'",
    "|": "write || for 'or'",
    "and": "write && for 'and'",
    "or": "write || for 'or'",
    "not": "write ! for 'not'",
    "<>": "write != for 'differs from'",
    "is": "write == to compare, or has(x.y) to ask whether a field is there",
    "#": "a comment starts with //",
    "`": "back quotes may only follow a dot, around a field's name",
}

_KEYWORDS = {"true": "BOOL_LIT", "false": "BOOL_LIT", "null": "NULL_LIT"}


class Words(Lexer):
    """Cuts a source into the terminals of cel-python's grammar; holds no state of a parse."""

    def __init__(self, lexer_conf: LexerConf) -> None:
        self._signs = {
            terminal.pattern.value: terminal.name
            for terminal in lexer_conf.terminals
            if isinstance(terminal.pattern, PatternStr)
        }

    def lex(self, data: str) -> Iterator[Token]:  # type: ignore[override]
        """The words, without spaces and comments; raises CompileError where none fits."""
        position = 0
        while position < len(data):
            match = _WORDS.match(data, position)
            if match is None:
                raise _no_word(data, position)
            start, position = position, match.end()
            kind, text = match.lastgroup or "", match.group()
            if kind == "SPACE":
                continue
            if kind == "SIGN":
                kind = self._signs[text]
            elif kind == "QUOTED":
                kind, text = "IDENT", text[1:-1]
            elif kind == "IDENT":
                kind = _KEYWORDS.get(text) or self._signs.get(text, kind)
            yield Token(kind, text, start_pos=start, end_pos=position)


def _no_word(source: str, position: int) -> Exception:
    char = source[position]
    if char in "\"'":
        return error_at(
            source, position, len(source), "this string is not closed", hint=f"close it with {char}"
        )
    if unicodedata.category(char) in {"Pi", "Pf"}:
        hint = "strings stand between straight quotes, \" or '"
        return error_at(source, position, position + 1, f"unexpected {char!r}", hint=hint)
    hint = HINTS.get(char, "")
    return error_at(source, position, position + 1, f"unexpected {char!r}", hint=hint)
