"""Calls of `recommend` in a template, checked at load: the strategy, and what it is told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shopflow.domain.recommendation import MOST, About, Strategy
from shopflow.lang.names import did_you_mean
from shopflow.problem import Problem

from .front_matter import Variable
from .source import Source
from .tags import Tag, find_tags

#: The name that templates call.
FUNCTION = "recommend"
#: The code of problems with such a call.
CODE = "SF326"

_CALL = re.compile(rf"(?<![\w.]){FUNCTION}\s*\(")
_NAMED = re.compile(r"\s*([A-Za-z_]\w*)\s*=(?!=)")
_WORDS = ("limit", "category", "at_least")
#: Types of variables that are about products, and about words.
_FITTING: Mapping[About, frozenset[str]] = {
    About.PRODUCTS: frozenset({"any", "string", "list", "object"}),
    About.WORDS: frozenset({"any", "string"}),
}


@dataclass(frozen=True, slots=True)
class _Argument:
    name: str
    text: str
    #: Offset in the tag.
    at: int

    @property
    def literal(self) -> str | None:
        """The text that it is, where it stands in quotes."""
        quoted = len(self.text) > 1 and self.text[0] == self.text[-1] and self.text[0] in "'\""
        return self.text[1:-1] if quoted else None


def recommends(text: str) -> bool:
    """Whether the text may call for products; prose that looks so counts too."""
    return _CALL.search(text) is not None


def check_recommendations(
    source: Source, variables: Mapping[str, Variable], problems: list[Problem]
) -> set[Strategy]:
    """The strategies that the source names; what is wrong with its calls goes to the problems."""
    found: set[Strategy] = set()
    for tag in find_tags(source.text):
        if tag.kind not in {"statement", "expression"}:
            continue
        for match in _CALL.finditer(tag.bare):
            arguments = list(_arguments(tag, match.end()))
            strategy = _strategy(arguments)
            for at, message, hint in _mistakes(arguments, strategy, variables):
                problems.append(
                    source.problem(tag.start + (at or match.start()), CODE, message, hint)
                )
            if strategy is not None:
                found.add(strategy)
    return found


def _mistakes(
    arguments: list[_Argument], strategy: Strategy | None, variables: Mapping[str, Variable]
) -> Iterator[tuple[int, str, str]]:
    places = [each for each in arguments if not each.name]
    if not places:
        yield 0, f"{FUNCTION} wants a strategy", f"there are {', '.join(Strategy)}"
        return
    if strategy is None and places[0].literal is not None:
        hint = did_you_mean(places[0].literal, Strategy, label="strategies")
        yield places[0].at, f"no strategy named '{places[0].literal}'", hint
    for each in arguments:
        if each.name and each.name not in _WORDS:
            hint = did_you_mean(each.name, _WORDS, label="arguments")
            yield each.at, f"{FUNCTION} takes no '{each.name}'", hint
        elif each.name == "limit" and each.text.isdigit() and not 1 <= int(each.text) <= MOST:
            yield each.at, f"the limit is {each.text}", f"it goes from 1 to {MOST}"
    if strategy is not None:
        yield from _misfits(strategy, arguments, places, variables)


def _misfits(
    strategy: Strategy,
    arguments: list[_Argument],
    places: list[_Argument],
    variables: Mapping[str, Variable],
) -> Iterator[tuple[int, str, str]]:
    """What does not go with the strategy."""
    category = next((each for each in arguments if each.name == "category"), None)
    if category is not None and strategy.about is not About.SHOP:
        yield category.at, f"{strategy} takes no category", "take it out"
    fitting = _FITTING.get(strategy.about)
    if fitting is None:
        if len(places) > 1:
            yield places[1].at, f"{strategy} is about nothing but who it is for", "take it out"
        return
    wanted = "products" if strategy.about is About.PRODUCTS else "the text of a search"
    if len(places) == 1:
        hint = f"{FUNCTION}('{strategy}', …)"
        yield places[0].at, f"{strategy} wants to be told {wanted}", hint
        return
    declared = variables.get(places[1].text)
    if declared is not None and declared.type not in fitting:
        message = f"'{declared.name}' is {declared.type}, and {strategy} wants {wanted}"
        yield places[1].at, message, "give it another variable, or correct its type"
    if len(places) > 2:  # noqa: PLR2004 - the strategy, and what it is about
        hint = f"the rest has names: {', '.join(_WORDS)}"
        yield places[2].at, f"{FUNCTION} takes two arguments without a name", hint


def _strategy(arguments: list[_Argument]) -> Strategy | None:
    """The strategy where it is written out; None when it comes from a variable, or is none."""
    first = next((each for each in arguments if not each.name), None)
    known = first is not None and first.literal in set(Strategy)
    return Strategy(str(first.literal)) if first is not None and known else None


def _arguments(tag: Tag, start: int) -> Iterator[_Argument]:
    """What stands between the brackets, cut at its commas."""
    depth, begin = 0, start
    for at in range(start, len(tag.bare)):
        letter = tag.bare[at]
        if letter in "([{":
            depth += 1
        elif letter in ")]}" and depth:
            depth -= 1
        elif letter == ")" or (letter == "," and not depth):
            if tag.text[begin:at].strip():
                yield _argument(tag.text[begin:at], begin)
            begin = at + 1
            if letter == ")":
                return


def _argument(text: str, begin: int) -> _Argument:
    named = _NAMED.match(text)
    value = text[named.end() :] if named else text
    at = begin + len(text) - len(text.lstrip())
    return _Argument(named[1] if named else "", value.strip(), at)
