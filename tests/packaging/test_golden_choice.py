"""`make golden` rewrites the tests that hold a text against a file: it has to find them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


def test_tests_with_a_golden_file_are_chosen_by_their_mark():
    words = ["--collect-only", "-q", "-p", "no:cacheprovider", "-m", "golden"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "tests/docs/test_commands.py"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    chosen = [line for line in done.stdout.splitlines() if "::" in line]
    assert chosen == [
        "tests/docs/test_commands.py::test_commands_page_is_what_the_commands_say",
    ]
