"""Real servers for the channels: a mail sink, one that misbehaves by a script, an HTTP receiver."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import SMTP as SMTP_POLICY

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Sink:
    """Keeps the mails it is given; `refuse` maps a command to the answer it gets instead."""

    def __init__(self, refuse=None):
        self.refuse = refuse or {}
        self.raw = []
        self.envelopes = []
        self.connections = 0
        self.port = 0

    @property
    def mails(self):
        return [message_from_bytes(raw, policy=SMTP_POLICY) for raw in self.raw]

    @property
    def ids(self):
        return sorted(mail["Message-ID"].strip("<>").partition("@")[0] for mail in self.mails)

    async def handle_MAIL(self, _server, _session, envelope, address, options):  # noqa: N802
        if "MAIL" in self.refuse:
            return self.refuse["MAIL"]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802
        answer = self.refuse.get(address) or self.refuse.get("RCPT")
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802
        if "DATA" in self.refuse:
            return self.refuse["DATA"]
        self.raw.append(envelope.original_content)
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        return "250 2.0.0 queued"

    @asynccontextmanager
    async def listening(self, **options):
        tls = options.pop("implicit_tls", None)

        def protocol():
            self.connections += 1
            return SMTP(self, hostname="sink.test", **options)

        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()


class Script:
    """A mail server that answers by a function of (command, how many of it so far).

    The function returns the answer's bytes, `Script.DROP`, or `Script.SILENCE`.
    """

    DROP = object()
    SILENCE = object()

    def __init__(self, answer):
        self.answer = answer
        self.bodies = []
        self.counts = {}
        self.connections = 0
        self.port = 0

    @asynccontextmanager
    async def listening(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader, writer):
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _talk(self, reader, writer):
        if not self._say(writer, "HELLO", b"220 script.test\r\n"):
            return
        while line := await reader.readline():
            verb = line.split()[0].decode().upper()
            usual = {
                "EHLO": b"250 script.test\r\n",
                "DATA": b"354 go on\r\n",
                "QUIT": b"221 bye\r\n",
            }
            if not self._say(writer, verb, usual.get(verb, b"250 ok\r\n")):
                return
            if verb == "DATA" and not self._refuses_data():
                if self.answer("MIDDLE", self.counts["DATA"]) is Script.DROP:
                    await reader.read(200)
                    return
                body = b""
                while not body.endswith(b"\r\n.\r\n") and body != b".\r\n":
                    body += await reader.readuntil(b"\r\n")
                self.bodies.append(body)
                if not self._say(writer, "BODY", b"250 taken\r\n"):
                    return

    def _refuses_data(self):
        answer = self.answer("DATA", self.counts["DATA"])
        return answer is not None and answer is not Script.SILENCE and not answer.startswith(b"3")

    def _say(self, writer, what, usual):
        count = self.counts[what] = self.counts.get(what, 0) + 1
        answer = self.answer(what, count)
        if answer is Script.DROP:
            return False
        if answer is not Script.SILENCE:
            writer.write(answer or usual)
        return True


class Receiver:
    """An HTTP server that keeps its requests and answers with the statuses it is told to."""

    def __init__(self, answer=None):
        self.answer = answer or (lambda _count: b"HTTP/1.1 204 No Content\r\n\r\n")
        self.requests = []
        self.port = 0

    @property
    def keys(self):
        return [headers["idempotency-key"] for headers, _ in self.requests]

    @asynccontextmanager
    async def listening(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")[1:-2]
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.requests.append((headers, body))
                answer = self.answer(len(self.requests))
                if answer is None:
                    break
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


class Login:
    """Accepts one user and password."""

    def __call__(self, _server, _session, _envelope, _mechanism, data):
        good = (data.login, data.password) == (b"shop", b"correct horse battery")
        return AuthResult(success=good, handled=False)


@pytest.fixture
def sink():
    return Sink


@pytest.fixture
def script():
    return Script


@pytest.fixture
def receiver():
    return Receiver


@pytest.fixture
def login():
    return Login()


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A certificate for 127.0.0.1 that signs itself: the server's context and the PEM file."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink.test")])
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=30))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "ca.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, folder / "key.pem")
    return context, str(pem)
