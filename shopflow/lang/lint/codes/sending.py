"""Codes of messages, consent, tests and cost: SF3 to SF8."""

from __future__ import annotations

from collections.abc import Mapping

from shopflow.lang.lint.codes.entry import Entry, error, warning

CODES: Mapping[str, Entry] = {
    "SF301": error(
        "unknown template",
        "No template of that name, or none for a channel that the step may use.",
    ),
    "SF302": error(
        "variable not given",
        "The template needs a variable that the step's with does not provide.",
    ),
    "SF303": warning("value never used", "A value under with that no template of the step reads."),
    "SF304": error(
        "variable of another type",
        "The value's type is not the one that the template declares.",
    ),
    "SF306": warning(
        "text message of more than one segment",
        "With values as long as the template's `longest` says, the text and the word STOP do not "
        "fit into one segment, or it has letters that telephones lack; each segment is paid for.",
    ),
    "SF307": error(
        "text message that nobody can stop",
        "A marketing or relationship message by SMS, and shopflow.yaml names no number for STOP.",
    ),
    "SF308": error("unknown coupon", "No coupon of that id in rules/coupons."),
    "SF309": error(
        "code that ends too soon",
        "A message may show the code of a coupon when the time that it is good for is over.",
    ),
    "SF310": warning(
        "coupon never used",
        "No step draws a code of the coupon, or only those of drafts do.",
    ),
    "SF311": error(
        "template and coupon do not agree",
        "A template prints the coupon of a send that has none, or a send draws a code that its "
        "template does not print.",
    ),
    "SF313": error(
        "channel not available",
        "The channel is not installed, not set up in shopflow.yaml, or its settings are wrong.",
    ),
    "SF320": error("template syntax", "The template is no valid MiniJinja."),
    "SF321": error("MJML", "The template is no valid MJML."),
    "SF322": error("include", "A template includes a file that is not there, or itself."),
    "SF323": error(
        "template file",
        "A file among the templates has a name or place that says nothing, or does not go "
        "with its neighbours.",
    ),
    "SF324": error(
        "unknown name in a template",
        "The template reads a name that it does not declare, or uses a filter that does not exist.",
    ),
    "SF325": error(
        "part that the channel needs",
        "The channel needs a part, such as the subject of a mail, that the template does not give.",
    ),
    "SF326": error(
        "recommendation without an answer",
        "A template asks for recommendations by a strategy that there is not, or tells it what it "
        "has no use for.",
    ),
    "SF327": error(
        "recommendation to somebody unknown",
        "A trait is missing that says what a customer has bought lately, has in the cart or has "
        "looked at; without it, just that would be recommended.",
    ),
    "SF328": error(
        "nothing to promote",
        "A step promotes a value that does not stand under its with.",
    ),
    "SF401": error(
        "no purpose",
        "Every workflow says why its messages are sent; consent is decided by it.",
    ),
    "SF402": error(
        "purpose unknown or not covering",
        "The purpose is not in the consent policy, or nobody can have agreed to it on this "
        "channel.",
    ),
    "SF403": error(
        "offer under another class",
        "A coupon, recommended products, or a template made for another purpose, in a message "
        "whose class must not carry it.",
    ),
    "SF406": error("caps that contradict", "A cap reserves more slots than it has."),
    "SF410": error(
        "hold-out of service messages",
        "Nobody may be left without a message that the contract owes them.",
    ),
    "SF702": error(
        "unknown name in a test",
        "A test names a workflow, step, exit, customer, fixture, trait or channel that does "
        "not exist.",
    ),
    "SF703": warning(
        "nothing that a test shows",
        "No test of `shopflow test --coverage` comes to this step or branch, or gets this answer "
        "from the condition or from a part of it.",
    ),
    "SF704": warning(
        "exit that no test takes",
        "No test of `shopflow test --coverage` leaves the workflow by this exit.",
    ),
    "SF705": error(
        "test without clock or expectation",
        "A test says when it begins and what has to come out.",
    ),
    "SF706": error(
        "payload that the shop could not send",
        "The data of an event in a test does not satisfy the event's schema.",
    ),
    "SF801": warning(
        "trigger that cannot be indexed",
        "The rule index finds no part of the condition by which it could leave the rule out, "
        "so it is asked at every event of its type.",
    ),
}
