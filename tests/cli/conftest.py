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


@pytest.fixture(scope="session")
def command_in():
    """Makes what runs commands on the project in a folder, and returns all that they print."""

    def make(folder):
        def call(*words, code=0, given=None):
            result = CliRunner().invoke(main, [*words, "--project", str(folder)], input=given)
            assert result.exit_code == code, result.output
            return result.output

        return call

    return make


@pytest.fixture
def command(tmp_path, command_in):
    """Runs a command on the project in `tmp_path`; returns all that it prints."""
    return command_in(tmp_path)
