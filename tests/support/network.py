"""Keeps tests at home: only unix sockets and the loopback interface can be reached."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

HOME_NAMES = frozenset({"localhost", "", "ip6-localhost"})


class LeftHome(OSError):
    """Something tried to reach another machine."""


@contextmanager
def only_loopback() -> Iterator[list[str]]:
    """Inside the block, connections and look-ups beyond this machine raise LeftHome; the list names each one."""
    tried: list[str] = []
    connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def refuse_foreign(host: object) -> None:
        if not _is_home(host):
            tried.append(str(host))
            raise LeftHome(f"tests do not leave this machine: {host}")

    def is_number(host: object) -> bool:
        """Whether nobody need be asked what it means, in whichever spelling; connecting to it is another matter."""
        try:
            look_up(str(host), None, flags=socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            return False
        return True

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            refuse_foreign(address[0])
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        if self.family != socket.AF_UNIX:
            refuse_foreign(address[0])
        return connect_ex(self, address)

    def guarded_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if not is_number(name):
            refuse_foreign(name)
        return look_up(host, *args, **kwargs)

    socket.socket.connect, socket.socket.connect_ex = guarded_connect, guarded_connect_ex  # type: ignore[method-assign]
    socket.getaddrinfo = guarded_look_up
    try:
        yield tried
    finally:
        socket.socket.connect, socket.socket.connect_ex = connect, connect_ex  # type: ignore[method-assign]
        socket.getaddrinfo = look_up


def _is_home(host: object) -> bool:
    if host is None or str(host).lower() in HOME_NAMES:
        return True
    try:
        address = ipaddress.ip_address(str(host))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
