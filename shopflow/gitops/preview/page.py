"""The gallery as one page of HTML, beside the mails and pictures that it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import unified_diff
from html import escape

from shopflow import sms
from shopflow.gitops.preview.cards import Card, Change, Parts

#: Where, beside the page, mails and pictures are.
MAILS, PICTURES = "mails", "pictures"
_HTML = "html"
_HEADS = ("subject", "preheader")
_SMS = "sms"
#: How lines of a difference are marked.
_MARKS: Mapping[str, str] = {"-": "del", "+": "ins"}

_STYLE = """
:root { color-scheme: light; font: 16px/1.5 system-ui, sans-serif; color: #1f2933; }
body { margin: 0 auto; max-width: 84rem; padding: 1rem 1.5rem 4rem; background: #f5f6f8; }
h1 { font-size: 1.6rem; margin: .5rem 0; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; border-bottom: 2px solid #cbd2d9; }
h3 { font-size: 1rem; margin: 0 0 .75rem; }
nav ul { columns: 18rem; padding-left: 1.2rem; margin: .5rem 0; }
article { background: #fff; border: 1px solid #d3d9df; border-radius: 8px; padding: 1rem;
  margin: 1rem 0; }
.sides { display: flex; gap: 2rem; flex-wrap: wrap; }
.side { flex: 1 1 24rem; min-width: 0; }
.pictures { display: flex; gap: 1rem; align-items: flex-start; }
figure { margin: 0; }
figure img { display: block; border: 1px solid #d3d9df; border-radius: 6px; width: 100%;
  height: auto; }
figure.phone { flex: 0 0 22%; } figure.desktop { flex: 1 1 0; }
figcaption { font-size: .8rem; color: #52606d; margin-bottom: .25rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .8rem; margin: 0 0 .8rem; }
dt { color: #52606d; } dd { margin: 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f5f6f8; border-radius: 6px;
  padding: .75rem; margin: .5rem 0; font-size: .85rem; }
.mark { font-size: .8rem; font-weight: 600; border-radius: 4px; padding: .1rem .45rem; }
.new { background: #d1fae5; color: #065f46; } .changed { background: #fef3c7; color: #78350f; }
.error { background: #fee2e2; color: #7f1d1d; padding: .5rem .75rem; border-radius: 6px; }
del, ins { text-decoration: none; }
del { background: #fee2e2; } ins { background: #d1fae5; }
.quiet { color: #52606d; font-size: .85rem; }
summary { cursor: pointer; }
"""


def gallery(
    cards: Sequence[Card],
    pictures: Mapping[str, Mapping[str, str]],
    *,
    title: str,
    notes: Sequence[str] = (),
) -> str:
    """The page; `pictures` has, by stem of a mail's file, the file names by device."""
    return "\n".join(_page(cards, pictures, title, notes)) + "\n"


def mails_of(card: Card) -> dict[str, str]:
    """Stem -> HTML of the mails that the card shows: as it is, and as it was."""
    found = {card.id: card.parts} | ({f"{card.id}-before": card.before} if card.before else {})
    return {stem: parts[_HTML] for stem, parts in found.items() if _HTML in parts}


def _page(
    cards: Sequence[Card],
    pictures: Mapping[str, Mapping[str, str]],
    title: str,
    notes: Sequence[str],
) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    yield f"<h1>{escape(title)}</h1>"
    yield from (f'<p class="quiet">{escape(note)}</p>' for note in notes if note)
    if not cards:
        yield "<p>No message has changed.</p>"
    names = list(dict.fromkeys(card.template for card in cards))
    if len(names) > 1:
        links = "".join(f'<li><a href="#{_anchor(name)}">{escape(name)}</a></li>' for name in names)
        yield f"<nav><ul>{links}</ul></nav>"
    for name in names:
        yield f'<section id="{_anchor(name)}">\n<h2>{escape(name)}</h2>'
        for card in cards:
            if card.template == name:
                yield from _article(card, pictures)
        yield "</section>"
    yield "</body>\n</html>"


def _article(card: Card, pictures: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    words = escape(f"{card.channel}, {card.locale}, {card.fixture}")
    shown = card.change is not None and card.change is not Change.NONE
    mark = f' <span class="mark {card.change}">{card.change}</span>' if shown else ""
    yield f'<article id="{card.id}">\n<h3>{words}{mark}</h3>'
    told = f"values of the test “{card.test}”" if card.test else "made-up values: no test sends it"
    yield f'<p class="quiet">{escape(told)}</p>'
    if card.error:
        yield f'<p class="error">{escape(card.error)}</p>'
    if card.before is not None and card.change is Change.CHANGED:
        yield f"<pre>{_difference(card.before, card.parts)}</pre>"
    yield '<div class="sides">'
    if card.before is not None and card.change is Change.CHANGED:
        yield '<div class="side"><h3>before</h3>'
        yield from _side(card, card.before, f"{card.id}-before", pictures)
        yield '</div><div class="side"><h3>after</h3>'
    else:
        yield '<div class="side">'
    yield from _side(card, card.parts, card.id, pictures)
    yield "</div></div>\n</article>"


def _difference(before: Parts, after: Parts) -> str:
    """The lines that differ, marked; pictures of both may look much alike."""
    names = [name for name in dict.fromkeys((*before, *after)) if name != _HTML]
    lines = [line for name in names for line in _marked(name, before, after)]
    return "\n".join(lines) or "only the markup of the page differs"


def _marked(name: str, before: Parts, after: Parts) -> Iterator[str]:
    both = before.get(name, "").splitlines(), after.get(name, "").splitlines()
    # What comes first are two names of files.
    for line in list(unified_diff(*both, n=0, lineterm=""))[2:]:
        if (mark := _MARKS.get(line[0])) is not None:
            yield f"<{mark}>{line[0]} {name}: {escape(line[1:])}</{mark}>"


def _side(
    card: Card, parts: Parts, stem: str, pictures: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    facts = [(name, parts[name]) for name in _HEADS if name in parts]
    if card.channel == _SMS and "text" in parts:
        facts += _of_sms(parts["text"], card)
    if facts:
        told = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts)
        yield f"<dl>{told}</dl>"
    if stem in pictures:
        yield '<div class="pictures">'
        for device, name in pictures[stem].items():
            path = f"{PICTURES}/{name}"
            alt = escape(f"{card.template} on a {device}")
            yield (
                f'<figure class="{device}"><figcaption>{device}</figcaption>'
                f'<a href="{path}"><img src="{path}" alt="{alt}" loading="lazy"></a></figure>'
            )
        yield "</div>"
    if _HTML in parts:
        yield f'<p><a href="{MAILS}/{stem}.html">the page of the mail</a></p>'
    for name in parts:
        if name not in {*_HEADS, _HTML}:
            opened = " open" if _HTML not in parts else ""
            yield (
                f"<details{opened}><summary>{escape(name)}</summary>"
                f"<pre>{escape(parts[name])}</pre></details>"
            )


def _of_sms(text: str, card: Card) -> list[tuple[str, str]]:
    """What the text takes on its way, as it is sent: with plain letters where that spares parts."""
    sent = sms.plain(sms.with_stop(text, card.locale, card.stop) if card.stop else text.rstrip())
    size = sms.size(sent)
    encoding = f"UCS-2, because of {size.foreign}" if size.foreign else "GSM-7"
    plural = "s" if size.segments > 1 else ""
    facts = [("size", f"{size.units} units, {size.segments} segment{plural}, {encoding}")]
    if card.stop:
        facts.append(("ends with", sms.stop_mention(card.locale, card.stop)))
    if altered := sms.altered(text):
        facts.append(("sent without accents", altered))
    return facts


def _anchor(name: str) -> str:
    return "".join(char if char.isalnum() else "-" for char in name)
