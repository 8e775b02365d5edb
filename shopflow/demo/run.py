"""The demo: a simulated month of a shop through the shipped rules, every mail sent over SMTP.

It is the real runtime with the events as its clock. Its own SMTP sink is where all mails end, so
whatever the addresses are, nothing leaves the machine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

import shopflow
from shopflow.demo.catalogue import catalogue, rankings
from shopflow.demo.shop import simulate_shop
from shopflow.demo.sink import Sink, listening
from shopflow.errors import SettingsError
from shopflow.lang.project import Delivery, DeliveryMode, Project
from shopflow.rulebook import load_project
from shopflow.runtime.answers import Totals
from shopflow.runtime.app import open_app
from shopflow.runtime.embedded import Embedded
from shopflow.runtime.simulate import Until
from shopflow.runtime.sources import open_sources
from shopflow.store.records import StatusReport, StoredMessage

#: When the simulated month begins; the same every time, so that two runs say the same.
START = datetime(2026, 3, 1, tzinfo=UTC)
#: Connections to the sink.
CONNECTIONS = 8
#: Whose mail is shown, the first of these that sent one.
SHOWN = ("abandoned-cart", "win-back", "order-follow-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where the demo leaves what it made."""

    folder: Path

    @property
    def events(self) -> Path:
        """The shop's month."""
        return self.folder / "events.jsonl"

    @property
    def database(self) -> Path:
        """What shopflow made of it."""
        return self.folder / "demo.db"

    @property
    def mail(self) -> Path:
        """One of the mails, as a page."""
        return self.folder / "mail.html"

    def clear(self) -> None:
        """Nothing of an earlier demo is left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("", "-wal", "-shm", ".lock"):
            self.database.with_name(self.database.name + name).unlink(missing_ok=True)
        self.mail.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the demo came to."""

    totals: Totals
    status: StatusReport
    arrived: int
    recipients: int
    #: Who got the mail that was kept; empty when none had a page.
    customer: str


def shipped_rules() -> Path:
    """The folder of the rules that come with the sources.

    Raises:
        SettingsError: This is an installed package, which has none.
    """
    folder = Path(shopflow.__file__).resolve().parent.parent
    if not (folder / "shopflow.yaml").is_file():
        raise SettingsError(
            "the demo plays the rules of the source repository, which an installed package does "
            "not have: clone it and run `make demo` there, or give your own with --project DIR"
        )
    return folder


def write_month(path: Path, *, customers: int, days: int, seed: int) -> int:
    """The simulated month as a file of events; returns how many."""
    count = 0
    with path.open("wb") as file:
        for event in simulate_shop(customers=customers, days=days, seed=seed, start=START):
            file.write(orjson.dumps(event) + b"\n")
            count += 1
    return count


async def play(
    project: Path,
    files: Files,
    *,
    drive: Callable[[Embedded], Awaitable[Totals]],
    on_progress: Callable[[Totals], None] | None = None,
) -> Shown:
    """The month, decided and delivered; `drive` runs the runner."""
    async with listening() as sink:
        settings = _settings(load_project(project).require().project, sink, files)
        with open_app(project, event_clock=True, project=settings) as app:
            with app.store.transaction() as batch:
                batch.save_products(catalogue(START), START)
            app.store.recommendations.keep(list(rankings(START)), START)
            runner = Embedded(
                app.parts(),
                sources=open_sources([str(files.events)]),
                until=Until.END,
                on_progress=on_progress,
            )
            totals = await drive(runner)
            status = app.store.views.status()
            sent = [one for name in SHOWN for one in app.store.views.messages(workflow=name)]
        return Shown(
            totals=totals,
            status=status,
            arrived=sink.arrived,
            recipients=len(sink.recipients),
            customer=_keep_page(sink, files.mail, sent),
        )


def _settings(project: Project, sink: Sink, files: Files) -> Mapping[str, object]:
    """The project's own settings, but for the state, the mail server, and what may leave."""
    mail = {
        **project.channels.get("email", {}),
        "host": "127.0.0.1",
        "port": sink.port,
        "tls": "none",
        "connections": CONNECTIONS,
    }
    for key in ("username", "password", "ca_file"):
        mail.pop(key, None)
    return {
        "database": f"sqlite:///{files.database.resolve()}",
        # Everybody may be written to, since every mail ends in the sink. Tickets, posts and calls
        # have no address: they are dropped, since there is nobody here to take them.
        "delivery": Delivery(mode=DeliveryMode.ALLOWLIST, allowlist=("*@*",)),
        "channels": {**project.channels, "email": mail},
    }


def _keep_page(sink: Sink, path: Path, sent: Sequence[StoredMessage]) -> str:
    """The page of one mail, kept; returns who got it."""
    shown, page = sink.page_of(one.message.id for one in sent)
    if page:
        path.write_text(page, encoding="utf-8")
    return next((one.message.customer_id for one in sent if one.message.id == shown), "")
