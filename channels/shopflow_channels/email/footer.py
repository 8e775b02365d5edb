"""Who sends a mail, why, and the way out: added to every body, no template can leave it out."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from shopflow.channel import Message, Sender

_WORDS: Mapping[str, Mapping[str, str]] = {
    "fr": {
        "marketing": "Vous recevez ce message car vous avez accepté nos offres par e-mail.",
        "relationship": "Vous recevez ce message car vous êtes client de notre boutique.",
        "stop_marketing": "Se désabonner",
        "stop_relationship": "Ne plus recevoir ce type de message",
        "preferences": "Choisir ce que vous recevez",
        "privacy": "Vos données personnelles",
    },
    "en": {
        "marketing": "You receive this message because you agreed to our offers by e-mail.",
        "relationship": "You receive this message because you are a customer of our shop.",
        "stop_marketing": "Unsubscribe",
        "stop_relationship": "Stop messages of this kind",
        "preferences": "Choose what you receive",
        "privacy": "Your personal data",
    },
}
_STYLE = (
    "font-family:Arial,Helvetica,sans-serif;font-size:12px;line-height:18px;color:#666666;"
    "text-align:center;padding:16px"
)


def bodies(message: Message) -> dict[str, str]:
    """The text and html bodies with the footer in them."""
    result = {}
    if text := message.content.get("text"):
        result["text"] = text.rstrip() + "\n\n-- \n" + _text(message)
    if page := message.content.get("html"):
        result["html"] = _inserted(page, _html(message))
    return result


def _text(message: Message) -> str:
    words = _words(message.locale)
    lines = []
    if message.has_opt_out:
        kind = message.message_class
        lines += [words[kind], f"{words['stop_' + kind]} ({message.unsubscribe_url})"]
        if message.preferences_url:
            lines.append(f"{words['preferences']} ({message.preferences_url})")
    lines.append(_legal(message.sender))
    if message.sender.privacy_url and message.has_opt_out:
        lines.append(f"{words['privacy']} ({message.sender.privacy_url})")
    return "\n".join(line for line in lines if line)


def _html(message: Message) -> str:
    words = _words(message.locale)
    lines = []
    if message.has_opt_out:
        kind = message.message_class
        lines += [words[kind], _link(words["stop_" + kind], message.unsubscribe_url)]
        if message.preferences_url:
            lines.append(_link(words["preferences"], message.preferences_url))
    lines.append(escape(_legal(message.sender)))
    if message.sender.privacy_url and message.has_opt_out:
        lines.append(_link(words["privacy"], message.sender.privacy_url))
    inside = "<br>".join(line for line in lines if line)
    return f'<div style="{_STYLE}">{inside}</div>' if inside else ""


def _legal(sender: Sender) -> str:
    return " - ".join(part for part in (sender.legal_name, sender.address, sender.contact) if part)


def _link(label: str, url: str) -> str:
    return f'<a href="{escape(url)}" style="color:#666666">{escape(label)}</a>'


def _inserted(page: str, footer: str) -> str:
    # The last one: an earlier "</body>" may stand in a comment or a quoted sample.
    at = page.rfind("</body>")
    if at < 0:
        at = page.lower().rfind("</body>")
    return page + footer if at < 0 else page[:at] + footer + page[at:]


def _words(locale: str) -> Mapping[str, str]:
    return _WORDS.get(locale.partition("-")[0].partition("_")[0], _WORDS["en"])
