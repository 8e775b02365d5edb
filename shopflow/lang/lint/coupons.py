"""Coupons: declared, used, printed and in time (SF308 to SF311)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from shopflow.domain.ids import StepId
from shopflow.domain.step import Send, Step
from shopflow.domain.workflow import Status, Workflow
from shopflow.lang.compiler.longest import longest_between
from shopflow.lang.compiler.sends import channel_nodes
from shopflow.lang.fixes import renaming
from shopflow.lang.lengths import written
from shopflow.lang.lint.subject import Subject
from shopflow.lang.names import did_you_mean
from shopflow.lang.templates import Template
from shopflow.lang.tree import Node
from shopflow.problem import Problem, Severity

#: What a template reads when it prints a code.
_PRINTED = "coupon"


def coupon_exists(subject: Subject) -> Iterator[Problem]:
    """A coupon of that id is declared."""
    for each, step in subject.coupon_steps:
        node = step["coupon"]
        if node.text not in subject.coupons:
            hint = did_you_mean(node.text, subject.coupons, label="coupons")
            if not subject.coupons:
                hint = f"declare it in rules/coupons/{node.text}.yaml"
            message = f"no coupon named '{node.text}'"
            yield each.document.problem(
                "SF308",
                node,
                message,
                hint=hint,
                fix=renaming(each.document, node, subject.coupons),
            )


def coupon_is_printed(subject: Subject) -> Iterator[Problem]:
    """A send draws a code if its template prints one, and only then.

    A template that several sends share may print a code where there is one.
    """
    with_code = {step["template"].text for _, step in subject.sends if "coupon" in step}
    with_print = {each.path for each in subject.templates if _prints(subject, each)}
    for each, step in subject.sends:
        templates = list(_templates(subject, step))
        drawn = step.get("coupon")
        printing = [one for one in templates if one.path in with_print]
        if printing and step["template"].text not in with_code:
            message = f"{printing[0].path} prints a coupon, and this send has none"
            hint = "add coupon: to the send, or take it out of the template"
            yield each.document.problem("SF311", step["template"], message, hint=hint)
        if drawn is not None and templates and not printing:
            message = f"a code of '{drawn.text}' is drawn, and no template of the send prints it"
            hint = "print {{ coupon.code }} in the template, or take the coupon out"
            yield each.document.problem("SF311", drawn, message, hint=hint)


def code_lasts_until_it_is_sent(subject: Subject) -> Iterator[Problem]:
    """The code of a coupon is good until the last message that shows it has left."""
    for each, node in subject.coupon_steps:
        coupon = subject.build.ruleset.coupons.get(node["coupon"].text)
        workflow = each.workflow
        if coupon is None or coupon.valid_for is None or workflow is None:
            continue
        step = workflow.steps[StepId(node["id"].text)]
        for send, latest in _latest_sends(workflow, step):
            if latest >= coupon.valid_for:
                message = (
                    f"a code of '{coupon.id}' is good for {written(coupon.valid_for)}, and "
                    f"'{send.id}' may show it {written(latest)} after it was drawn"
                )
                hint = "shorten the waits or max_lateness, or lengthen the coupon's valid_for"
                yield each.document.problem("SF309", node["coupon"], message, hint=hint)


def _latest_sends(workflow: Workflow, step: Step) -> Iterator[tuple[Send, timedelta]]:
    """The sends that show the step's code, and how long after its draw each may leave at most."""
    if isinstance(step, Send):
        yield step, step.max_lateness
    for send in workflow.steps.values():
        if isinstance(send, Send) and _shows(send, step.id):
            way = longest_between(workflow.steps, step.next, send.id, workflow.values)
            if way is not None:
                yield send, way + send.max_lateness


def _shows(send: Send, draw: StepId) -> bool:
    reads = (path for value in send.variables.values() for path in value.reads)
    return any(path[:3] == ("steps", draw, "code") for path in reads)


def coupon_is_used(subject: Subject) -> Iterator[Problem]:
    """A coupon is drawn by some workflow that is more than a draft."""
    drafts: dict[str, str] = {}
    used = set()
    for each, node in subject.coupon_steps:
        workflow = each.workflow
        if workflow is not None and workflow.status is Status.DRAFT:
            drafts[node["coupon"].text] = workflow.id
        else:
            used.add(node["coupon"].text)
    for document, root in subject.sound("Coupon"):
        name = root["id"].text
        if name in used:
            continue
        message = f"no step draws a code of '{name}'"
        if name in drafts:
            message = f"only '{drafts[name]}' draws a code of '{name}', and it is a draft"
        hint = "draw it in a step of a workflow, or delete the file"
        yield document.problem("SF310", root["id"], message, hint=hint, severity=Severity.WARNING)


def _templates(subject: Subject, step: Node) -> Iterator[Template]:
    name = step["template"].text
    for channel in channel_nodes(step["send"]):
        yield from subject.templates.written(name, channel.text)


def _prints(subject: Subject, template: Template) -> bool:
    read = subject.templates.variables(template.name, template.channel, template.locale)
    return any(name.partition(".")[0] == _PRINTED for name in read)
