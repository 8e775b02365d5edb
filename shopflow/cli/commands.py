"""The subcommands of `shopflow`: where each lives, and what help says of it.

Help of them all comes from here, since loading them all takes a second and a half. A test holds
each sentence against the command's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Known(NamedTuple):
    """A command that has not been loaded."""

    #: Its module, and its name in there.
    place: str
    #: The first sentence of its help.
    purpose: str


#: By name, in the order that help shows them.
COMMANDS: Mapping[str, Known] = {
    "init": Known(
        "shopflow.cli.init:init",
        "Make a rules repository in DIR (default: here), with two workflows and their tests.",
    ),
    "lint": Known(
        "shopflow.cli.lint:lint",
        "Check every rule file: schema, names, types, references, and what they mean together.",
    ),
    "rule": Known(
        "shopflow.cli.rule:rule",
        "Say what a code of `shopflow lint` means, with a wrong and a right example.",
    ),
    "test": Known("shopflow.cli.test:test", "Run the rules' own tests: all, or those under PATHS."),
    "plan": Known(
        "shopflow.cli.plan:plan",
        "Say what a change of rules does, for whom, and what speaks against it.",
    ),
    "simulate": Known(
        "shopflow.cli.simulate:simulate",
        "Replay recorded events on a virtual clock and say what would be sent.",
    ),
    "preview": Known(
        "shopflow.cli.preview:preview",
        "Write a gallery of messages: all of them, those of a workflow, or one template.",
    ),
    "send-test": Known(
        "shopflow.cli.send_test:send_test",
        "Send one message, as a template makes it, to a test recipient.",
    ),
    "bundle": Known(
        "shopflow.cli.bundle:bundle",
        "Make one file of all rules, to test, promote and deploy as it is.",
    ),
    "deploy": Known(
        "shopflow.cli.deploy:deploy",
        "Put rules to work: those of a BUNDLE, of a commit, or of the folder.",
    ),
    "rollback": Known(
        "shopflow.cli.rollback:rollback",
        "Go back to the rules that were live before, or to those of REVISION.",
    ),
    "versions": Known(
        "shopflow.cli.versions:versions",
        "List deployments, what is held back, and the versions of workflows.",
    ),
    "run": Known(
        "shopflow.cli.run:run",
        "Read events, decide, and send: one process, SQLite, nothing else to install.",
    ),
    "worker": Known(
        "shopflow.cli.worker:worker",
        "Work on what the shop adds to Redis, beside as many other workers as you like.",
    ),
    "serve": Known(
        "shopflow.cli.serve:serve",
        "Take events over HTTP and add them to the queue in Redis, for `shopflow worker`.",
    ),
    "status": Known(
        "shopflow.cli.status:status",
        "Show what came in, what was decided, what was sent, and what is in doubt.",
    ),
    "pause": Known(
        "shopflow.cli.switches:pause",
        "Stop sending for one workflow, one channel, all of marketing, or everything.",
    ),
    "resume": Known(
        "shopflow.cli.switches:resume", "Let go what `shopflow pause` or a breaker holds back."
    ),
    "dead-letters": Known(
        "shopflow.cli.dead_letters:dead_letters",
        "Look at what could not be processed, try it again, or give it up.",
    ),
    "consent": Known(
        "shopflow.cli.consent:consent",
        "Look at what customers agreed to, and at what shows it.",
    ),
    "article30": Known(
        "shopflow.cli.article30:article30",
        "Write the record of processing activities (RGPD, article 30) as Markdown.",
    ),
    "inbound": Known(
        "shopflow.cli.inbound:inbound",
        "Take a mail that came back: a bounce, a complaint, a way out by mail, or a reply.",
    ),
    "restore": Known(
        "shopflow.cli.restore:restore",
        "Do again what a restored backup has forgotten: refusals, suppressions, erasures, sends.",
    ),
    "customer": Known(
        "shopflow.cli.customer:customer", "Show, export or erase what is kept of a person."
    ),
    "suppressions": Known(
        "shopflow.cli.suppressions:suppressions",
        "Keep addresses from being written to; they are known by keyed hashes only.",
    ),
    "explain": Known(
        "shopflow.cli.explain:explain",
        "Say why a customer got a message or did not, or what an event led to or would lead to.",
    ),
    "graph": Known("shopflow.cli.graph:graph", "Draw the workflows: all of them, or these."),
    "events": Known("shopflow.cli.events:events", "Bring events in, or out for others to see."),
    "recommend": Known(
        "shopflow.cli.recommend:recommend",
        "Compute what products go together, and look at what would be recommended.",
    ),
    "coupons": Known("shopflow.cli.coupons:coupons", "Bring codes in, and see what is left."),
    "catalog": Known("shopflow.cli.catalog:catalog", "Bring products in, and look at one."),
    "keys": Known("shopflow.cli.keys:keys", "The keys that seal the links in messages."),
    "db": Known("shopflow.cli.db:db", "Look after the database."),
    "demo": Known(
        "shopflow.cli.demo:demo",
        "Play a simulated month of a shop through the rules, sending every mail to a local sink.",
    ),
    "bench": Known(
        "shopflow.cli.bench:bench",
        "Measure parts of shopflow beside what they are held against.",
    ),
}
