"""Asking a provider over the network: once, over https, in time, for JSON of a bearable length."""

import json
import time
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from flask_babel import gettext as _
from requests.adapters import HTTPAdapter

SECONDS = 10
LARGEST = 1_000_000


class Trouble(Exception):
    """A provider could not be asked, or its answer is of no use; `reason` is for an owner to read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unreachable(Trouble):
    """No answer, or none in time: trying again later may help."""


class Unusable(Trouble):
    """An answer that must not be used: somebody has to change a setting, here or there."""


class Elsewhere(Unusable):
    """A redirect, which is never followed."""


class BoundedAdapter(HTTPAdapter):
    """Sends one request and follows no redirect; gives up an answer that is late, slow or too long."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Raises Unreachable or Unusable."""
        host = urlsplit(request.url or "").hostname or ""
        started = time.monotonic()
        names = ("stream", "timeout", "verify", "cert", "proxies")
        options = {**dict(zip(names, args, strict=False)), **kwargs, "stream": True, "timeout": SECONDS}
        try:
            response = super().send(request, **options)
            try:
                body = _bounded(response, started, host)
            finally:
                response.close()
        except requests.exceptions.SSLError as fault:
            raise Unreachable(_("The certificate of %(host)s is not valid.", host=host)) from fault
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as fault:
            raise Unreachable(_slow(host)) from fault
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as fault:
            raise Unreachable(_("%(host)s cannot be reached.", host=host)) from fault
        if 300 <= response.status_code < 400:
            raise Elsewhere(_("%(host)s sent us on to another address, which is not followed.", host=host))
        if response.status_code >= 500:
            raise Unreachable(_("%(host)s has trouble of its own (answer %(n)s).", host=host, n=response.status_code))
        response._content = body  # what `Response.json()` reads
        return response


def _slow(host: str) -> str:
    return _("%(host)s did not answer within %(n)s seconds.", host=host, n=SECONDS)


def _bounded(response: requests.Response, started: float, host: str) -> bytes:
    body = bytearray()
    while chunk := response.raw.read1(
        16_384, decode_content=True
    ):  # unlike `iter_content`, does not wait for all of it
        body += chunk
        if len(body) > LARGEST:
            raise Unusable(_("The answer of %(host)s is too long.", host=host))
        if time.monotonic() - started > SECONDS:
            raise Unreachable(_slow(host))
    return bytes(body)


def bound(session: requests.Session) -> None:
    """Let `session` send nothing but bounded requests, and no password of this machine's ~/.netrc with them."""
    session.auth = _as_it_is
    for scheme in ("https://", "http://"):
        session.mount(scheme, BoundedAdapter())


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def parsed(response: requests.Response) -> Any:
    """The JSON of an answer. Raises Unusable."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError) as fault:
        host = urlsplit(response.url).hostname
        raise Unusable(_("The answer of %(host)s is not JSON.", host=host)) from fault


def fetch(url: str, *, bearer: str = "") -> Any:
    """The JSON at `url`. Raises Unreachable or Unusable."""
    response = _get(url, bearer)
    if response.status_code != 200:
        host, n = urlsplit(url).hostname, response.status_code
        raise Unusable(_("%(host)s answered %(n)s at %(url)s.", host=host, n=n, url=url))
    return parsed(response)


def _get(url: str, bearer: str = "") -> requests.Response:
    if not is_safe(url):
        raise Unusable(_("“%(url)s” is not an https address.", url=url))
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
    with requests.Session() as session:
        bound(session)
        try:
            return session.get(url, headers=headers)
        except (requests.RequestException, ValueError) as fault:  # not even an address; a token that fits no header
            raise Unusable(_("“%(url)s” cannot be asked.", url=url)) from fault


def fetch_object(url: str, *, bearer: str = "") -> dict[str, Any]:
    """The JSON object at `url`. Raises Unreachable or Unusable."""
    found = fetch(url, bearer=bearer)
    if not isinstance(found, dict):
        raise Unusable(_("The answer of %(host)s is not what was expected.", host=urlsplit(url).hostname))
    return found


def is_safe(url: str) -> bool:
    """Whether `url` is an address to send people or secrets to: https, or plain http to this machine."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def reachable(url: str) -> None:
    """Ask for `url` to see that somebody answers there, whatever the answer. Raises Unreachable or Unusable."""
    try:
        _get(url)
    except Elsewhere:  # a visitor who asks for nothing may well be sent on
        return
