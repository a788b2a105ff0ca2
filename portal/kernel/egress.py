"""Requests to addresses that people typed: resolved first, checked, then connected to just that address.

A name may mean a machine of ours, or come to mean one between two look-ups (SSRF; OWASP's cheat sheet of that name). So
every address a name stands for must be public or expressly allowed, and the connection goes to the one checked.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

TIMEOUT, LONGEST_CALL = 10.0, 30.0
LONGEST_ANSWER = 64 * 1024
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """The address is not one that may be asked; nothing was sent. The text says why, for site owners."""


class Failed(Exception):
    """It could be asked, but did not answer. The text says how."""


class Answer(NamedTuple):
    """What came back; of a long answer only the beginning."""

    status: int
    body: bytes


def check_url(url: str, allowed: Sequence[Network] = ()) -> SplitResult:
    """The parts of an address that could be asked. Raises Refused; looks nothing up."""
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        raise Refused("this is not a web address") from None
    if parts.scheme not in ("https", "http") or not parts.hostname or not port_is_valid:
        raise Refused("this is not a web address that begins with https://")
    if parts.scheme == "http" and not allowed:
        raise Refused("it must begin with https://")
    if parts.username is not None or parts.password is not None:
        raise Refused("it must not hold a user name or a password")
    if any(ord(c) <= 0x20 or ord(c) == 0x7F for c in url):
        raise Refused("it must not hold blanks or control characters")
    if not (parts.path + parts.query).isascii():
        raise Refused("signs beyond ASCII must be written as %C3%A4")
    return parts


def addresses(host: str, port: int, allowed: Sequence[Network] = ()) -> list[str]:
    """The addresses a host stands for, all of which may be asked. Raises Refused, or Failed for an unknown name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise Failed("its name is not known") from fault
    numbers = list(dict.fromkeys(str(one[4][0]) for one in found))
    for number in numbers:
        if not _may_be_asked(number, allowed):
            raise Refused("it leads to a machine that is not on the public internet")
    return numbers


def post(url: str, body: bytes, headers: Mapping[str, str], allowed: Sequence[Network] = ()) -> Answer:
    """POST to an address outside, following no redirect; at most ten seconds for each step of the way
    and thirty for all of it: who answers a byte at a time must not hold up the jobs of everybody.

    Raises Refused or Failed.
    """
    parts = check_url(url, allowed)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    numbers = addresses(host, port, allowed)
    if parts.scheme == "http" and not all(_within(number, allowed) for number in numbers):
        raise Refused("it must begin with https://")
    line = _Pinned(host, port, numbers[0], tls=parts.scheme == "https")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    end = threading.Timer(LONGEST_CALL, line.cut)
    end.daemon = True
    end.start()
    try:
        line.request("POST", target, body=body, headers={**headers, "Connection": "close"})
        answer = line.getresponse()
        told = Answer(answer.status, answer.read(LONGEST_ANSWER))
    except TimeoutError as fault:
        raise Failed("it did not answer in time") from fault
    except ssl.SSLCertVerificationError as fault:
        raise Failed("its certificate is not valid") from fault
    except (OSError, ValueError, http.client.HTTPException) as fault:
        raise Failed("it did not answer in time" if line.was_cut else "the connection failed") from fault
    finally:
        end.cancel()
        line.close()
    if line.was_cut:
        raise Failed("it did not answer in time")
    return told


class _Pinned(http.client.HTTPConnection):
    """A connection to one checked address, under the name it was asked for."""

    def __init__(self, host: str, port: int, number: str, *, tls: bool) -> None:
        super().__init__(host, port, timeout=TIMEOUT)
        self.number, self.tls = number, tls
        self.default_port = 443 if tls else 80
        self.line: socket.socket | None = None
        self.was_cut = False

    def connect(self) -> None:
        self.sock = self.line = socket.create_connection((self.number, self.port), TIMEOUT)
        if self.tls:
            context = ssl.create_default_context()
            tls = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock = self.line = tls
            tls.do_handshake()

    def cut(self) -> None:
        """End it, whatever it is waiting for; called by another thread."""
        self.was_cut = True
        if self.line is not None:
            with suppress(OSError):
                socket.socket.shutdown(self.line, socket.SHUT_RDWR)


def _may_be_asked(number: str, allowed: Sequence[Network]) -> bool:
    if _within(number, allowed):
        return True
    address = _plain(number)
    return address.is_global and not (address.is_multicast or address.is_reserved or _is_site_local(address))


def _is_site_local(address: Address) -> bool:
    return isinstance(address, ipaddress.IPv6Address) and address.is_site_local


def _within(number: str, allowed: Sequence[Network]) -> bool:
    address = _plain(number)
    return any(address.version == network.version and address in network for network in allowed)


def _plain(number: str) -> Address:
    """The address itself, also where IPv6 wraps an IPv4 one (mapped, 6to4, NAT64)."""
    address = ipaddress.ip_address(number.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour
        if wrapped is None and address in ipaddress.IPv6Network("64:ff9b::/96"):
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return wrapped or address
    return address
