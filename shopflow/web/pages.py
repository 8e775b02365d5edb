"""Pages for people: language, look and headers; what a page is about is its own module's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from urllib.parse import parse_qs

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from shopflow.domain.customer import Customer
from shopflow.lang.project import Project
from shopflow.web.colours import readable

_HERE = Path(__file__).parent
#: The languages that pages speak; the first one stands in for any other.
LOCALES = ("fr", "en")
#: The most that a form may send, in bytes and in fields.
MAX_FORM, MAX_FIELDS = 64 * 1024, 200


class Refusal(Exception):  # noqa: N818 - the name is the claim
    """Raised for a request that is answered by a plain page; names the text of that page."""

    def __init__(self, status: int, name: str) -> None:
        super().__init__(name)
        self.status = status
        self.name = name


@dataclass(frozen=True, slots=True)
class Look:
    """What the shop looks like."""

    name: str
    logo_url: str
    home_url: str
    colour: str
    legal: str
    privacy_url: str

    @classmethod
    def of(cls, project: Project) -> Look:
        """By the project's settings."""
        sender, pages = project.sender, project.pages
        legal = " - ".join(part for part in (sender.legal_name, sender.address) if part)
        return cls(
            name=pages.name or sender.legal_name or "shopflow",
            logo_url=pages.logo_url,
            home_url=pages.home_url,
            colour=readable(pages.colour),
            legal=legal,
            privacy_url=sender.privacy_url,
        )


class Pages:
    """Renders pages of one shop."""

    def __init__(self, project: Project) -> None:
        self._look = Look.of(project)
        self._locale = _known(project.locale) or LOCALES[0]
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        style = (_HERE / "templates" / "pages.css").read_text(encoding="utf-8")
        self._style = style.replace("#123456", self._look.colour)
        version = blake2b(self._style.encode(), digest_size=6).hexdigest()
        self._environment.globals["stylesheet"] = f"/pages.css?v={version}"
        self._environment.globals["shop"] = self._look
        self._plain: dict[tuple[str, str], str] = {}

    def route(self) -> Route:
        """The style sheet of all pages."""

        async def stylesheet(_: Request) -> Response:
            return Response(
                self._style,
                media_type="text/css",
                headers={
                    "cache-control": "public, max-age=31536000, immutable",
                    "x-content-type-options": "nosniff",
                },
            )

        return Route("/pages.css", stylesheet)

    def locale(self, request: Request, customer: Customer | None = None) -> str:
        """The language to answer in: as asked for, as the person's, as the browser's, ours."""
        told = customer.attributes.get("locale") if customer is not None else None
        wanted = [request.query_params.get("lang"), told if isinstance(told, str) else None]
        accepted = request.headers.get("accept-language", "")[:200].split(",")
        wanted += [each.partition(";")[0].strip() for each in accepted]
        return next((found for each in wanted if (found := _known(each))), self._locale)

    def page(self, name: str, *, locale: str, status: int = 200, **values: object) -> Response:
        """The page of that name with its texts in the language."""
        return self._answer(self._rendered(name, locale, values), status)

    def plain(self, request: Request, refusal: Refusal) -> Response:
        """The page that says why not; whoever guesses ten thousand times costs next to nothing."""
        place = refusal.name, self.locale(request)
        if place not in self._plain:
            texts = {"title": f"{refusal.name}_title", "text": f"{refusal.name}_text"}
            self._plain[place] = self._rendered("message", place[1], texts)
        return self._answer(self._plain[place], refusal.status)

    def _answer(self, body: str, status: int) -> Response:
        return HTMLResponse(body, status_code=status, headers=_headers(self._look.logo_url))

    def _rendered(self, name: str, locale: str, values: Mapping[str, object]) -> str:
        words = texts(locale)

        def text(key: str, **given: object) -> Markup:
            # What is put into a text is escaped; the text itself is ours.
            return Markup(words[key]).format(**given)  # noqa: S704 - our own texts

        template = self._environment.get_template(f"{name}.html")
        return template.render(t=text, locale=locale, locales=LOCALES, **values)


@cache
def texts(locale: str) -> Mapping[str, str]:
    """The texts of all pages in a language."""
    found: Mapping[str, str] = yaml.safe_load(
        (_HERE / "texts" / f"{locale}.yaml").read_text(encoding="utf-8")
    )
    return found


async def form(request: Request) -> Mapping[str, list[str]]:
    """The fields of a form, each with its values.

    Raises:
        Refusal: It is too large, or no form.
    """
    body = await bounded_body(request, MAX_FORM)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refusal(415, "no_form")
    try:
        return parse_qs(
            body.decode("utf-8"),
            keep_blank_values=True,
            max_num_fields=MAX_FIELDS,
            strict_parsing=bool(body),
            errors="strict",
        )
    except ValueError as e:
        raise Refusal(400, "no_form") from e


async def bounded_body(request: Request, most: int) -> bytes:
    """The body, read no further than its bound.

    Raises:
        Refusal: There is more.
    """
    chunks, length = [], 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > most:
            raise Refusal(413, "too_large")
        chunks.append(chunk)
    return b"".join(chunks)


def one(fields: Mapping[str, list[str]], name: str, most: int = 500) -> str:
    """The value of a field, without its edges; empty where there is none.

    Raises:
        Refusal: It is longer than any that a page of ours sends, or no text.
    """
    value = fields.get(name, [""])[0].strip()
    if len(value) > most or any(ord(letter) < 32 and letter not in "\r\n\t" for letter in value):  # noqa: PLR2004 - control characters
        raise Refusal(400, "no_form")
    return value


def client(request: Request) -> str:
    """Whose request it is, as far as limits go."""
    return request.client.host if request.client else ""


def _known(locale: object) -> str | None:
    language = locale.partition("-")[0].lower() if isinstance(locale, str) else ""
    return language if language in LOCALES else None


def _headers(logo_url: str) -> Mapping[str, str]:
    """What keeps a page from being framed, cached, indexed or made to run anything."""
    pictures = "/".join(logo_url.split("/")[:3]) if logo_url else "'none'"
    policy = {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": pictures,
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    return {
        "content-security-policy": "; ".join(f"{key} {value}" for key, value in policy.items()),
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        # The address is the key to the page: it is not to be told to where a link leads.
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "x-robots-tag": "noindex, nofollow",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
        "cross-origin-opener-policy": "same-origin",
        "vary": "accept-language",
    }
