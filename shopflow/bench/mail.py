"""What a mail costs to make, beside Jinja2 and `EmailMessage`; and to deliver, beside aiosmtplib.

Made: template, footer, way out and MIME, from the same source on both sides. Delivered: from the
outbox in SQLite to receipts that are kept, over as many connections as bare aiosmtplib hands
ready bytes over; the server is a process of its own. Both in turns, in one run.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from aiosmtplib import SMTP

from shopflow import plugins
from shopflow.bench.mail_shop import HTML, SUBJECT, TEXT, VARIABLES, a_message, written
from shopflow.channel import Message as Ready
from shopflow.channel import OnUncertain
from shopflow.domain.customer import Customer
from shopflow.domain.ids import CustomerId
from shopflow.errors import SettingsError
from shopflow.rulebook import LoadedProject, load_project
from shopflow.runtime.carrier import Carrier, Delivery
from shopflow.runtime.deliver import Deliverer
from shopflow.runtime.embedded import StoreThread
from shopflow.runtime.envelope import Envelopes, Mode
from shopflow.runtime.links import Keyring, Links
from shopflow.store.opening import open_store
from shopflow.store.records import LeasedMessage

#: A mail may cost this share of its peer's to make, and delivery reach this share of its peer's.
MADE_BAR, DELIVERED_BAR = 0.1, 0.8
CONNECTIONS = 10
#: Mails of one measurement.
MADE, DELIVERED = 300, 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Medians of one run."""

    made_microseconds: float
    peer_microseconds: float
    delivered_per_second: float
    peer_per_second: float
    connections: int = CONNECTIONS

    @property
    def made_ratio(self) -> float:
        """What a mail costs to make, of what Jinja2 and EmailMessage take."""
        return self.made_microseconds / self.peer_microseconds

    @property
    def delivered_ratio(self) -> float:
        """How much of aiosmtplib's rate is reached."""
        return self.delivered_per_second / self.peer_per_second

    @property
    def reached(self) -> bool:
        """True when both bars are."""
        return self.made_ratio <= MADE_BAR and self.delivered_ratio >= DELIVERED_BAR


def run(rounds: int = 7, *, done: Callable[[], object] = lambda: None) -> Report:
    """Measures both, in turns with their peers."""
    if find_spec("jinja2") is None:
        raise SettingsError("the benchmark compares with Jinja2: pip install jinja2")
    with tempfile.TemporaryDirectory() as folder, _sink() as port:
        loaded = load_project(written(Path(folder))).require()
        ours, peers, sent, bare = [], [], [], []
        make, peer = _maker(loaded), _peer()
        for number in range(rounds):
            ours.append(_each(make, MADE))
            peers.append(_each(peer, MADE))
            database = f"sqlite:///{folder}/{number}.db"
            sent.append(_deliver(loaded, database, port))
            bare.append(asyncio.run(_hand_over(make(), port)))
            done()
    return Report(
        made_microseconds=median(ours) * 1e6,
        peer_microseconds=median(peers) * 1e6,
        delivered_per_second=DELIVERED / median(sent),
        peer_per_second=DELIVERED / median(bare),
    )


def render(report: Report) -> str:
    """The report for people."""
    made = (
        f"make a mail: {report.made_microseconds:,.0f} us, Jinja2 and EmailMessage "
        f"{report.peer_microseconds:,.0f} us: {report.made_ratio:.3f} (bar {MADE_BAR})"
    )
    delivered = (
        f"deliver over {report.connections} connections: {report.delivered_per_second:,.0f}/s "
        f"from the outbox to kept receipts, bare aiosmtplib {report.peer_per_second:,.0f}/s: "
        f"{report.delivered_ratio:.2f} (bar {DELIVERED_BAR})"
    )
    return f"{made}\n{delivered}"


def render_json(report: Report) -> str:
    """The report for machines."""
    ratios = {"made_ratio": report.made_ratio, "delivered_ratio": report.delivered_ratio}
    return json.dumps({**asdict(report), **ratios, "reached": report.reached}, indent=2)


def _each(make: Callable[[], object], count: int) -> float:
    gc.collect()
    begun = perf_counter()
    for _ in range(count):
        make()
    return (perf_counter() - begun) / count


def _envelopes(loaded: LoadedProject) -> Envelopes:
    return Envelopes(
        ruleset=loaded.ruleset,
        templates=loaded.templates,
        links=Links(
            keyring=Keyring(secrets=[b"bench"]),
            base_url="https://shop.example",
            contact="stop@shop.example",
        ),
        mode=Mode.LIVE,
    )


def _maker(loaded: LoadedProject) -> Callable[[], bytes]:
    """From a leased message to the bytes that go over the line."""
    package = "shopflow_channels.email"
    assemble = import_module(f"{package}.mime").assemble
    identity = import_module(f"{package}.mime").Identity(address="hello@shop.example", name="Shop")
    bodies = import_module(f"{package}.footer").bodies
    envelopes, leased = _envelopes(loaded), LeasedMessage(message=a_message(1), attempt=1)
    anna, now = Customer(id=CustomerId("anna")), datetime.now(UTC)

    def make() -> bytes:
        ready = envelopes.fill(leased, anna, now)
        assert isinstance(ready, Ready)  # noqa: S101 - nothing withholds it
        mail: bytes = assemble(ready, identity, ready.to, bodies(ready))
        return mail

    return make


def _peer() -> Callable[[], bytes]:
    """The same mail as most programs make it."""
    environment: Any = import_module("jinja2").Environment(autoescape=True)
    subject, text, html = map(environment.from_string, (SUBJECT, TEXT, HTML))
    now = format_datetime(datetime.now(UTC))

    def make() -> bytes:
        mail = EmailMessage()
        mail["From"] = "Shop <hello@shop.example>"
        mail["To"] = "anna@customers.example"
        mail["Subject"] = subject.render(VARIABLES)
        mail["Date"] = now
        mail["Message-ID"] = "<m1@shop.example>"
        mail["List-Unsubscribe"] = "<https://shop.example/u/token>, <mailto:stop@shop.example>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail.set_content(text.render(VARIABLES))
        mail.add_alternative(html.render(VARIABLES), subtype="html")
        return mail.as_bytes()

    return make


def _deliver(loaded: LoadedProject, database: str, port: int) -> float:
    """Seconds from a full outbox to an empty one."""
    settings = {"host": "127.0.0.1", "port": port, "connections": CONNECTIONS}
    channel = plugins.build("email", {**settings, "from": "Shop <hello@shop.example>"})
    store, write = open_store(database, partitions=16), StoreThread()
    carrier = Carrier(
        name="email", channel=channel, slots=CONNECTIONS, on_uncertain=OnUncertain.RESEND
    )
    delivery = Delivery(
        store=store,
        envelopes=_envelopes(loaded),
        write=write,
        clock=lambda: datetime.now(UTC),
        owner="bench",
    )
    with store.transaction() as batch:
        batch.save([Customer(id=CustomerId("anna"))])
        batch.queue([a_message(number) for number in range(DELIVERED)])
    try:
        gc.collect()
        begun = perf_counter()
        asyncio.run(_until_idle(Deliverer({"email": carrier}, delivery)))
        seconds = perf_counter() - begun
        assert not store.outbox.pending()  # noqa: S101 - or less was measured than is claimed
        return seconds
    finally:
        write.close()
        store.close()


async def _until_idle(deliverer: Deliverer) -> None:
    running = asyncio.create_task(deliverer.run())
    while not deliverer.is_idle and not running.done():  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.002)
    deliverer.stop()
    await running


async def _hand_over(mail: bytes, port: int) -> float:
    """Seconds that bare aiosmtplib takes for as many mails over as many connections."""
    left = iter(range(DELIVERED))

    async def one() -> None:
        smtp = SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        await smtp.connect()
        for _ in left:
            await smtp.sendmail("hello@shop.example", ["anna@customers.example"], mail)
        await smtp.quit()

    gc.collect()
    begun = perf_counter()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return perf_counter() - begun


@contextmanager
def _sink() -> Iterator[int]:
    """The port of a mail server in a process of its own."""
    command = [sys.executable, "-m", "shopflow.bench.mail_sink"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ours
        assert process.stdout is not None  # noqa: S101 - asked for
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()
