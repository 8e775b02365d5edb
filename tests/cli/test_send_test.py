"""`send-test`: one message to a colleague through a real mail server, and to nobody else."""

from __future__ import annotations

import json
from email import message_from_bytes, policy

import pytest
import yaml
from support.small_project import FULL, PROJECT, project_files

TEST = {"name": "an hour of silence", "events": [FULL], "expect": {"sends": [{"at": "1h"}]}}
NUDGE = "---\npurposes: [marketing]\n---\nYour cart is waiting.\n"


@pytest.fixture
def mails(sink):
    """What the mail server took."""
    taken = []
    handle = sink.handle_DATA

    async def keep(server, session, envelope):
        mail = message_from_bytes(envelope.original_content, policy=policy.default)
        taken.append((envelope.rcpt_tos, mail))
        return await handle(server, session, envelope)

    sink.handle_DATA = keep
    return taken


@pytest.fixture
def root(folder, sink):
    """A project whose mails go to the sink, where nothing else may leave."""
    files = project_files(None, [TEST], **{"shopflow.yaml": settings(sink.port)})
    return folder({**files, "rules/templates/cart/nudge/sms.en.txt": NUDGE})


def settings(port, **delivery):
    email = {**PROJECT["channels"]["email"], "port": port, "tls": "none"}
    recipients = {"mode": "sink", "test_recipients": ["*@boutique.example"], **delivery}
    return {
        **PROJECT,
        "delivery": {key: value for key, value in recipients.items() if value is not None},
        "channels": {"email": email, "log": {}},
    }


@pytest.mark.usefixtures("root")
def test_it_arrives_as_the_template_makes_it(command, mails):
    told = command("send-test", "cart/reminder", "--to", "anna@boutique.example")
    assert told == "sent cart/reminder (email, en) to anna@boutique.example\n"
    ((to, mail),) = mails
    assert to == ["anna@boutique.example"]
    assert mail["Subject"] == "Your cart"
    assert mail["X-Shopflow-Test"] == "short"
    assert "Total 90" in mail.get_body(("plain",)).get_content()
    # It may serve marketing, and so comes from there, with a way out that leads nowhere.
    assert mail["From"] == "bonjour@boutique.example"
    assert "example.com/unsubscribe" in mail["List-Unsubscribe"]


def test_nothing_is_kept_of_it(root, command, mails):
    before = sorted(path.name for path in root.rglob("*"))
    command("send-test", "cart/reminder", "--to", "anna@boutique.example")
    assert len(mails) == 1
    assert sorted(path.name for path in root.rglob("*")) == before


@pytest.mark.usefixtures("root")
def test_a_test_names_its_values(command, mails):
    words = ("--to", "anna@boutique.example", "--as", "an hour of silence", "--format", "json")
    told = json.loads(command("send-test", "cart/reminder", *words))
    assert (told["outcome"], told["fixture"]) == ("accepted", "an hour of silence")
    assert len(mails) == 1


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["cart/reminder", "--to", "anna@gmail.example"],
            "anna@gmail.example is no test recipient",
        ),
        (["cart/remindr", "--to", "a@boutique.example"], "did you mean 'cart/reminder'?"),
        (["cart/reminder", "--to", "a@boutique.example", "--locale", "de"], "not written in 'de'"),
        (["cart/reminder", "--to", "a@boutique.example", "--as", "shot"], "did you mean 'short'?"),
        (["cart/nudge", "--to", "a@boutique.example"], "the channel sms is not set up"),
        (["cart/reminder", "--to", "a@boutique.example", "--channel", "sms"], "for the channel"),
    ],
)
def test_what_cannot_be_sent_is_refused(command, mails, words, told):
    assert told in command("send-test", *words, code=2)
    assert mails == []


def test_without_test_recipients_nothing_leaves(root, sink, command, mails):
    open_to_all = settings(sink.port, mode="allowlist", allowlist=["*@*"], test_recipients=None)
    root.joinpath("shopflow.yaml").write_text(yaml.safe_dump(open_to_all))
    told = command("send-test", "cart/reminder", "--to", "anna@boutique.example", code=2)
    assert "there are no test recipients; name them in shopflow.yaml" in told
    assert mails == []


@pytest.mark.usefixtures("root")
def test_a_server_that_says_no_is_a_finding(sink, command):
    sink.behave = lambda _: "550 no such mailbox"
    told = command("send-test", "cart/reminder", "--to", "anna@boutique.example", code=1)
    assert "was not sent to anna@boutique.example" in told
