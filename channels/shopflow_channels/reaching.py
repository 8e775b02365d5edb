"""Connections that lead out of the house only: never to this machine, nor to the network it is in.

Who may name an address could otherwise have the shop ask its own inner services, such as those of
a cloud that hand out passwords. A name is looked up once, what it stands for is looked at, and the
connection goes to that very address, so that a name cannot mean another one a moment later.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import httpx

#: IPv6 addresses that stand for the IPv4 address in their last four bytes (RFC 6052).
_TRANSLATED = IPv6Network("64:ff9b::/96")
_HTTPS = 443
_HTTP = 80

#: Finds the addresses of a host and port.
LookUp = Callable[[str, int], Awaitable[Sequence[str]]]


class Inward(httpx.ConnectError):
    """A host that stands for no address outside; nothing was sent."""


def is_public(address: str) -> bool:
    """True for an address that anybody on the Internet may have; False for what is none."""
    try:
        found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        within = found.ipv4_mapped or found.sixtofour
        if found in _TRANSLATED:
            within = IPv4Address(found.packed[-4:])
        found = within or found
    return found.is_global and not found.is_multicast


def is_inward(host: str) -> bool:
    """True for a host that is plainly not outside, without looking it up."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return not is_public(name)


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the system gives them.

    Raises:
        httpx.ConnectError: It has none.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as e:
        raise httpx.ConnectError("the host has no address") from e
    return list(dict.fromkeys(str(one[4][0]) for one in found))


class OutwardTransport(httpx.AsyncBaseTransport):
    """Sends requests to public addresses only; the certificate is still held to the host's name."""

    def __init__(self, limits: httpx.Limits, find: LookUp = look_up) -> None:
        self._limits = limits
        self._trusted = httpx.create_ssl_context(trust_env=False)
        self._find = find
        # One for each host: several may be behind one address, each with a certificate of its own.
        self._ways: dict[str, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer of the first public address of the host that can be connected to.

        Raises:
            Inward: The host has no public address.
            httpx.TransportError: As httpx raises it.
        """
        host = request.url.raw_host.decode("ascii")
        port = request.url.port or (_HTTPS if request.url.scheme == "https" else _HTTP)
        found = [one for one in await self._find(host.strip("[]"), port) if is_public(one)]
        if not found:
            raise Inward("the host is not outside; allow_private: true posts there all the same")
        if host not in self._ways:
            self._ways[host] = httpx.AsyncHTTPTransport(verify=self._trusted, limits=self._limits)
        way = self._ways[host]
        for address in found[:-1]:
            try:
                return await way.handle_async_request(_pinned(request, host, address))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await way.handle_async_request(_pinned(request, host, found[-1]))

    async def aclose(self) -> None:
        """Lets go of the connections."""
        for way in self._ways.values():
            await way.aclose()


def _pinned(request: httpx.Request, host: str, address: str) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        # With the host's own name, as `Host` and for its certificate.
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
