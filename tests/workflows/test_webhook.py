"""Webhooks are signed, tried again under one delivery id, and never reach a machine inside."""

import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_network
from typing import Any

import pytest
from flask import Flask

from portal.kernel import egress
from portal.kernel.db import db, transaction
from portal.workflows import services
from portal.workflows.steps.webhook import signature
from tests.support import make
from tests.support.clock import FrozenClock
from tests.twins.webhook import Hook, listening
from tests.workflows import ways

SECRET = "a secret of sixteen and more"
MakeApp = Callable[..., Flask]


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A machine on the loopback interface: a trap, unless the operator allows it."""
    with listening() as listener:
        yield listener


def call(url: str) -> int:
    step = {"type": "webhook", "url": url, "secret": SECRET}
    return ways.started(ways.defined(step), make.make_contact())


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0x7f.1",
        "2130706433",
        "127.1",
        "0.0.0.0",  # noqa: S104
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::]",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00::1]",
        "[fec0::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
    ],
)
def test_an_address_inside_is_never_called(app: Flask, frozen_clock: FrozenClock, hook: Hook, host: str) -> None:
    port = hook.url.split(":")[2].split("/")[0]
    one = call(f"https://{host}:{port}/hook")
    ways.work_until_idle(frozen_clock)
    assert ways.run(one).state == "failed"
    assert "public internet" in ways.run(one).error
    assert not hook.calls


@pytest.mark.sqlite_only
def test_a_name_is_refused_when_any_of_its_addresses_is_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*_: Any, **__: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 443)) for number in ("93.184.215.14", "10.0.0.7")]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    with pytest.raises(egress.Refused, match="public internet"):
        egress.addresses("mixed.example", 443)


def test_a_redirect_is_not_followed(make_app: MakeApp, frozen_clock: FrozenClock, hook: Hook) -> None:
    with make_app(PORTAL_WEBHOOK_NETWORKS="127.0.0.0/8").app_context():
        hook.answers, hook.leads_to = [302], hook.url.replace("/hook", "/elsewhere")
        one = call(hook.url)
        ways.work_until_idle(frozen_clock)
        assert (ways.run(one).state, ways.run(one).error) == ("failed", "The webhook answered 302.")
        assert {made.path for made in hook.calls} == {"/hook"}


def test_a_call_is_signed_and_keeps_its_id_over_tries(make_app: MakeApp, frozen_clock: FrozenClock, hook: Hook) -> None:
    with make_app(PORTAL_WEBHOOK_NETWORKS="127.0.0.0/8").app_context():
        hook.answers = [500, 503, 200]
        one = call(hook.url)
        ways.work_until_idle(frozen_clock)
        assert ways.run(one).state == "done"
        assert len(hook.calls) == 3
        assert len({made.headers["X-Portal-Delivery"] for made in hook.calls}) == 1
        assert len({made.headers["X-Portal-Timestamp"] for made in hook.calls}) == 3, "each try has its own moment"
        for made in hook.calls:
            timestamp, delivery = made.headers["X-Portal-Timestamp"], made.headers["X-Portal-Delivery"]
            expected = signature(SECRET, timestamp, delivery, made.body)
            assert hmac.compare_digest(made.headers["X-Portal-Signature"], expected)
            assert json.loads(made.body)["delivery"] == delivery
        [row] = ways.results(one)
        assert (row.state, row.result, row.tries) == ("done", "The webhook answered 200.", 3)


def test_a_call_that_was_counted_is_not_made_again(make_app: MakeApp, frozen_clock: FrozenClock, hook: Hook) -> None:
    with make_app(PORTAL_WEBHOOK_NETWORKS="127.0.0.0/8").app_context():
        one = call(hook.url)
        ways.work_until_idle(frozen_clock)
        with transaction():
            detail = {"run_id": one, "position": 0}
            services.running.queue.enqueue(services.OUTSIDE_JOB, detail, now=frozen_clock.now)
        ways.work_until_idle(frozen_clock)
        assert len(hook.calls) == 1
        assert ways.actions("contact", ways.run(one).contact_id or 0).count("workflow.done") == 1


def test_nothing_in_the_database_waits_for_the_other_side(
    make_app: MakeApp, frozen_clock: FrozenClock, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    post = egress.post

    def watching(*given: Any, **more: Any) -> egress.Answer:
        seen.append(bool(db.session.info.get("portal_writes")))
        return post(*given, **more)

    monkeypatch.setattr(egress, "post", watching)
    with make_app(PORTAL_WEBHOOK_NETWORKS="127.0.0.0/8").app_context():
        call(hook.url)
        ways.work_until_idle(frozen_clock)
    assert seen == [False]


def test_a_cancelled_run_calls_nobody(make_app: MakeApp, frozen_clock: FrozenClock, hook: Hook) -> None:
    with make_app(PORTAL_WEBHOOK_NETWORKS="127.0.0.0/8").app_context():
        one, actor = call(hook.url), ways.acting()
        with transaction():
            services.cancel(one, by=actor, now=frozen_clock.now)
        ways.work_until_idle(frozen_clock)
        assert (ways.run(one).state, hook.calls) == ("cancelled", [])


@pytest.mark.sqlite_only
@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-"])
def test_who_answers_a_byte_at_a_time_does_not_hold_up_the_jobs(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    monkeypatch.setattr(egress, "LONGEST_CALL", 1.0)
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            line, _address = server.accept()
            with line, suppress(OSError):
                line.sendall(answer)
                while not done.wait(0.1):
                    line.sendall(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        with pytest.raises(egress.Failed, match="in time"):
            egress.post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}, [ip_network("127.0.0.0/8")])
        assert time.monotonic() - began < 5
        done.set()
        thread.join()


@pytest.mark.parametrize("url", ["https://example.org/h\u00f6ok", "https://example.org/?a=\u2028"])
def test_a_path_beyond_ascii_is_refused_at_once(url: str) -> None:
    with pytest.raises(egress.Refused, match="ASCII"):
        egress.check_url(url)
