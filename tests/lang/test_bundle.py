"""Compiled rules as plain JSON and back: the same rules, and nothing else can come of it."""

from __future__ import annotations

import dataclasses
import random
from datetime import UTC, datetime, timedelta

import orjson
import pytest
import support.shipped
from support.small_project import CART, project_files

from shopflow.domain.ruleset import Ruleset
from shopflow.lang.bundle import BadBundle, NotKept, pack, unpack
from shopflow.lang.cel import compile_expression
from shopflow.lang.constant import Constant
from shopflow.lang.digest import ruleset_digest, workflow_digest
from shopflow.rulebook import load_project


@pytest.fixture
def shipped():
    """The rules of the starter pack, which use every kind of step and trigger that there is."""
    return support.shipped.shipped().ruleset


def there_and_back(ruleset):
    return unpack(orjson.loads(orjson.dumps(pack(ruleset))))


def expressions(value):
    """Every condition and value below a domain value."""
    if hasattr(value, "evaluate"):
        yield value
    elif dataclasses.is_dataclass(value):
        for item in dataclasses.fields(value):
            yield from expressions(getattr(value, item.name))
    elif isinstance(value, dict):
        for each in value.values():
            yield from expressions(each)
    elif isinstance(value, tuple):
        for each in value:
            yield from expressions(each)


def test_the_rules_are_the_same_afterwards(shipped):
    again = there_and_back(shipped)
    assert ruleset_digest(again) == shipped.digest
    for name, workflow in shipped.workflows.items():
        assert workflow_digest(again.workflows[name]) == workflow.digest
        assert again.workflows[name].title == workflow.title
    assert pack(again) == pack(shipped)


def test_conditions_give_the_same_and_the_index_finds_the_same(shipped):
    before, after = list(expressions(shipped)), list(expressions(there_and_back(shipped)))
    assert len(before) == len(after) > 200
    for one, other in zip(before, after, strict=True):
        assert (one.source, one.reads, one.atoms) == (other.source, other.reads, other.atoms)
        for names in ({}, {"event": {"total": 30.0, "items": [1]}, "trigger": {}, "customer": {}}):
            assert outcome(one, names) == outcome(other, names)


def outcome(expression, names):
    try:
        return repr(expression.evaluate(names))
    except Exception as error:  # noqa: BLE001 - that they fail alike is what is asked
        return f"{type(error).__name__}: {error}"


def test_values_of_one_size_and_different_kinds_stay_apart():
    values = [1, 1.0, True, "1", None, 0, False, 0.0, timedelta(seconds=1), [1], (1,), ["1"]]
    kept = {str(number): Constant("x", value) for number, value in enumerate(values)}
    again = there_and_back(Ruleset(workflows=kept, purposes={})).workflows
    for number, value in enumerate(values):
        found = again[str(number)].value
        assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**70, object(), {1: {object()}}])
def test_what_has_no_form_is_refused_and_not_changed(value):
    with pytest.raises(NotKept):
        pack(Ruleset(workflows={"w": Constant("x", value)}, purposes={}))


def test_a_condition_is_compiled_when_it_is_first_asked():
    program = compile_expression("event.total >= 20 && event.items.all(i, i > 0)")
    (again,) = expressions(there_and_back(Ruleset(workflows={"w": program}, purposes={})).workflows)
    assert "tree" not in vars(again)
    assert again.evaluate({"event": {"total": 21, "items": [1]}}) is True
    assert "tree" in vars(again)


def test_rows_that_say_something_else_are_no_rules(shipped):
    rows = pack(shipped)
    chance = random.Random(5)
    bad = [
        [], [1], ["text"], [["value", 0]], [["no such kind"]], [None], {"a": 1}, 7,
        ["os.system", "echo", ["value", 0, 1]], ["Path", ["value", 0]], [["enum", 0, 1]],
    ]  # fmt: skip
    bad += [rows[: chance.randrange(1, len(rows))] for _ in range(20)]
    for each in bad:
        with pytest.raises(BadBundle):
            unpack(each)


def test_a_time_of_day_and_an_instant_keep_what_they_are():
    at = datetime(2026, 3, 3, tzinfo=UTC)
    kept = {"a": Constant("x", at), "b": Constant("x", at.date()), "c": Constant("x", at.time())}
    again = there_and_back(Ruleset(workflows=kept, purposes={})).workflows
    assert [again[key].value for key in "abc"] == [at, at.date(), at.time()]


def test_a_small_project_too(folder):
    ruleset = load_project(folder(project_files(CART)), env={}).require().ruleset
    assert ruleset_digest(there_and_back(ruleset)) == ruleset.digest
