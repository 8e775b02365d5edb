"""`shopflow send-test`: one message to a colleague, through the real channel."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import click

from shopflow import channel as outside
from shopflow.cli.main import CLEAN, FINDINGS
from shopflow.cli.options import FORMAT, PROJECT, tell
from shopflow.domain.policy import MessageClass
from shopflow.errors import TemplateError
from shopflow.gitops.preview.fixtures import SHORT, Fixture, sent_by
from shopflow.lang.names import did_you_mean
from shopflow.lang.templates.templates import Template
from shopflow.rulebook import LoadedProject, load_project
from shopflow.runtime.trial_send import TrialMessage, check_recipient, send_trial, values_for

_EMAIL = "email"


@click.command
@click.argument("name", metavar="TEMPLATE")
@click.option("--to", required=True, metavar="ADDRESS", help="Who gets it: a test recipient.")
@click.option(
    "--as",
    "fixture",
    default=SHORT,
    show_default=True,
    metavar="FIXTURE",
    help="Values to fill it with: short, longest, or the name of a test that sends it.",
)
@click.option("--locale", help="The language; the project's unless told.")
@click.option("--channel", help="The channel; email where the template is written for it.")
@FORMAT
@PROJECT
@click.pass_context
def send_test(  # noqa: PLR0917 - click passes each option by name
    ctx: click.Context,
    name: str,
    to: str,
    fixture: str,
    locale: str | None,
    channel: str | None,
    style: str,
    project: Path,
) -> None:
    """Send one message, as a template makes it, to a test recipient.

    It goes through the real channel, whatever `delivery.mode` is, and only to addresses that
    `delivery.test_recipients` in shopflow.yaml names. No cap, coupon or report knows of it; its
    links to unsubscribe lead nowhere.
    """
    loaded = load_project(project).require()
    check_recipient(loaded.project, to)
    template = _template(loaded, name, channel, locale)
    values = values_for(_fixture(loaded, template, fixture).values, loaded.project)
    try:
        content = loaded.templates.render(name, template.channel, template.locale, values)
    except TemplateError as e:
        click.echo(f"nothing was sent: {e}", err=True)
        ctx.exit(FINDINGS)
    purpose, message_class = _purpose(loaded, template)
    message = TrialMessage(
        to=to,
        channel=template.channel,
        locale=template.locale,
        purpose=purpose,
        message_class=message_class,
        fixture=fixture,
        content=content,
    )
    receipt = asyncio.run(send_trial(loaded.project, message, datetime.now(UTC)))
    accepted = receipt.outcome is outside.Outcome.ACCEPTED
    record = {
        "template": name,
        "channel": template.channel,
        "locale": template.locale,
        "fixture": fixture,
        "outcome": str(receipt.outcome),
        "reason": str(receipt.reason) if receipt.reason else None,
        "detail": receipt.detail,
    }
    tell(style, record, _told(template, receipt, to))
    ctx.exit(CLEAN if accepted else FINDINGS)


def _told(template: Template, receipt: outside.Receipt, to: str) -> str:
    what = f"{template.name} ({template.channel}, {template.locale})"
    if receipt.outcome is outside.Outcome.ACCEPTED:
        return f"sent {what} to {to}"
    detail = f": {receipt.detail}" if receipt.detail else ""
    return f"{what} was not sent to {to}: {receipt.reason}{detail}"


def _template(
    loaded: LoadedProject, name: str, channel: str | None, locale: str | None
) -> Template:
    """The template that is asked for; raises click.UsageError where there is none."""
    channels = loaded.templates.channels(name)
    if not channels:
        hint = did_you_mean(name, loaded.templates.names())
        raise click.UsageError(f"no template named '{name}'; {hint}")
    chosen = channel or (_EMAIL if _EMAIL in channels else min(channels))
    if chosen not in channels:
        hint = did_you_mean(chosen, channels)
        raise click.UsageError(f"'{name}' is not written for the channel '{chosen}'; {hint}")
    found = loaded.templates.find(name, chosen, locale or loaded.project.locale)
    locales = loaded.templates.locales(name, chosen)
    if found is None or (locale is not None and found.locale != locale):
        hint = did_you_mean(locale or "", locales)
        raise click.UsageError(f"'{name}' is not written in '{locale}'; {hint}")
    return found


def _fixture(loaded: LoadedProject, template: Template, name: str) -> Fixture:
    fixtures = {each.name: each for each in reversed(sent_by(loaded).of(template))}
    if name not in fixtures:
        hint = did_you_mean(name, fixtures)
        raise click.UsageError(f"no fixture named '{name}' for '{template.name}'; {hint}")
    return fixtures[name]


def _purpose(loaded: LoadedProject, template: Template) -> tuple[str, str]:
    """The purpose that it is sent under, and its class: the strictest of those it may serve."""
    known = [
        loaded.ruleset.purposes[name]
        for name in template.purposes
        if name in loaded.ruleset.purposes
    ]
    for purpose in known:
        if purpose.message_class is MessageClass.MARKETING:
            return purpose.id, str(purpose.message_class)
    return (known[0].id, str(known[0].message_class)) if known else ("", str(MessageClass.SERVICE))
