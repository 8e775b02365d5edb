"""`--watch`: commands that look at the rules again whenever a file of them changes."""

from __future__ import annotations

import signal
import subprocess
import threading

import pytest
from click.testing import CliRunner
from support.running import command
from support.small_project import FULL, project_files

from shopflow.cli.main import main

REMINDED = {"events": [FULL], "expect": {"sends": [{"at": "1h", "step": "reminder"}]}}
WORKFLOW = "rules/workflows/shop/cart.yaml"


class Watching:
    """A command that watches, in a process of its own."""

    def __init__(self, root, *words):
        self.process = subprocess.Popen(
            command(root, *words, "--watch"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # A process that says nothing more fails its test instead of holding it up.
        self._end = threading.Timer(120, self.process.kill)
        self._end.start()

    def says(self, wanted):
        """All that it says up to the line that begins so."""
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line.startswith(wanted):
                return "".join(lines)
        pytest.fail("it ended with: " + "".join(lines))

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self):
        code = self.process.wait()
        self._end.cancel()
        self.process.stdout.close()
        return code


@pytest.fixture
def watching(folder):
    started = []

    def start(*words):
        root = folder(project_files(tests=[REMINDED]))
        started.append(Watching(root, *words))
        return root, started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.end()


def change(path, before, after):
    text = path.read_text(encoding="utf-8")
    assert before in text
    # As editors write: whole, and under the old name at once.
    other = path.with_suffix(".new")
    other.write_text(text.replace(before, after), encoding="utf-8")
    other.replace(path)


def test_tests_run_again_when_a_rule_changes(watching):
    root, shown = watching("test")
    shown.says("1 passed")
    change(root / WORKFLOW, "wait: 1h", "wait: 2h")
    assert "at 2h, expected 1h" in shown.says("1 failed")
    # Half a word is an error like any other, and no end.
    change(root / WORKFLOW, "wait: 2h", "wiat: 2h")
    assert "no key 'wiat'" in shown.says("rules/workflows/shop/cart.yaml")
    change(root / WORKFLOW, "wiat: 2h", "wait: 1h")
    shown.says("1 passed")
    assert shown.stop() == 130


def test_problems_are_told_again_when_a_rule_changes_and_a_report_is_no_rule(watching, tmp_path):
    report = tmp_path / "rules" / "report.json"
    root, shown = watching("lint", "--output-file", str(report))
    shown.says("no problems found")
    change(root / WORKFLOW, "event: cart.updated", "event: cart.update")
    assert "did you mean" in shown.says("1 error")
    change(root / WORKFLOW, "event: cart.update\n", "event: cart.updated\n")
    # That the report was written made no round of its own.
    assert "1 error" not in shown.says("no problems found")
    assert shown.stop() == 130
    assert report.is_file()


def test_standard_input_is_read_once(folder):
    root = folder(project_files())
    words = ["lint", "-", "--stdin-filename", str(root / WORKFLOW), "--watch"]
    ran = CliRunner().invoke(main, [*words, "--project", str(root)])
    assert (ran.exit_code, "no --watch" in ran.output) == (2, True)
