"""The pages are true to the repository: links, make targets, the changelog, no stray words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
PAGES = sorted([*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md"), *REPO.glob(".github/*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
#: Paths of somebody's machine say nothing to a reader.
MACHINE = re.compile(r"/(?:work|home|root|Users|tmp)/")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pages
def test_links_lead_somewhere(page):
    dead = []
    for target in LINK.findall(prose(page)):
        if re.match(r"https?://|mailto:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            dead.append(target)
    assert not dead, f"{page.name} links to what is not there: {dead}"


@pages
def test_pages_name_no_path_of_a_machine(page):
    assert not MACHINE.findall(page.read_text(encoding="utf-8"))


@pages
def test_markdown_has_one_sentence_a_line(page):
    running_on = [
        line
        for line in prose(page).splitlines()
        if not re.match(r"\s*([-*|>#]|\d+\.)", line) and re.search(r"[a-z`)]\. [A-Z]", line)
    ]
    assert not running_on


def test_make_targets_named_in_pages_exist():
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {
        (page.name, target)
        for page in PAGES
        for target in re.findall(
            r"(?:`|^)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    assert named
    assert not {(page, target) for page, target in named if target not in targets}


def test_every_make_target_is_listed_by_make():
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    listed = re.findall(r'@echo "make (\w+) ', makefile)
    assert sorted(phony[1].split()) == sorted(["help", *listed])


def test_changelog_keeps_its_form():
    text = (REPO / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in text
    assert "### Rule language" in text
    assert "### Channel contract" in text


def test_every_page_of_docs_can_be_reached_from_the_readme():
    seen, ahead = set(), [REPO / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        ahead += [
            there
            for target in LINK.findall(prose(page))
            if (there := (page.parent / target.partition("#")[0]).resolve()).is_file()
        ]
    lost = {page for page in PAGES if page.parent.name != ".github"} - seen
    assert not lost


def test_decision_records_have_the_three_parts():
    records = sorted((REPO / "docs/adr").glob("0*.md"))
    assert records
    for record in records:
        text = record.read_text(encoding="utf-8")
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], record.name
