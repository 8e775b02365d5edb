"""A ramp: each customer is on one side, stays in as the share grows, and shares the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.small_project import project_files

from shopflow.domain.ruleset import Ramp
from shopflow.engine import RampedRulebook, Rulebook
from shopflow.rulebook import load_project

CUSTOMERS = [f"c{number}" for number in range(4_000)]


@pytest.fixture
def ruleset(folder):
    return load_project(folder(project_files())).require().ruleset


def ramped(ruleset, share, salt="new"):
    others = {name: replace(one, digest="before") for name, one in ruleset.workflows.items()}
    return RampedRulebook(ruleset, Ramp(share=share, salt=salt, others=others))


def inside(ruleset, share, salt="new"):
    rulebook = ramped(ruleset, share, salt)
    return {customer for customer in CUSTOMERS if rulebook.is_in(customer)}


def test_the_share_is_about_that_of_the_customers(ruleset):
    for share in (0.05, 0.5):
        assert len(inside(ruleset, share)) == pytest.approx(share * len(CUSTOMERS), rel=0.2)


def test_who_is_in_stays_in_as_the_share_grows(ruleset):
    assert inside(ruleset, 0.05) < inside(ruleset, 0.2) < inside(ruleset, 0.9)


def test_another_ramp_begins_with_other_customers(ruleset):
    assert inside(ruleset, 0.05) != inside(ruleset, 0.05, "another")


def test_each_side_decides_by_its_own_workflows_and_knows_those_of_the_other(ruleset):
    rulebook = ramped(ruleset, 0.5)
    digests = {rulebook.side(customer).current("cart").digest for customer in CUSTOMERS}
    assert digests == {"before", ruleset.workflows["cart"].digest}
    for customer in CUSTOMERS[:50]:
        assert all(rulebook.side(customer).workflow(digest) for digest in digests)


def test_both_sides_share_all_but_workflows(ruleset):
    rulebook = ramped(ruleset, 0.5)
    sides = {id(side): side for side in map(rulebook.side, CUSTOMERS)}
    assert len(sides) == 2
    for side in sides.values():
        assert side.ruleset.caps == ruleset.caps
        assert side.ruleset.purposes == ruleset.purposes
        assert side.ruleset.traits == ruleset.traits


def test_asked_about_nobody_it_knows_the_triggers_of_both(ruleset):
    rulebook = ramped(ruleset, 0.5)
    found = rulebook.index.lookup("cart.updated", {"total": 50.0})
    assert {one.digest for one in found} == {"before", ruleset.workflows["cart"].digest}


def test_without_a_ramp_there_is_one_side(ruleset):
    rulebook = Rulebook(ruleset)
    assert rulebook.side("anybody") is rulebook
