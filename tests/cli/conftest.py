"""What tests of commands share: a mail server, and commands run in this process."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from support.running import MailSink

from shopflow.cli.main import main


@pytest.fixture
def sink():
    """A mail server that keeps what it takes."""
    with MailSink().listening() as sink:
        yield sink


@pytest.fixture
def command(tmp_path):
    """Runs a command on the project in `tmp_path`; returns all that it prints."""

    def call(*words, code=0, given=None):
        result = CliRunner().invoke(main, [*words, "--project", str(tmp_path)], input=given)
        assert result.exit_code == code, result.output
        return result.output

    return call
