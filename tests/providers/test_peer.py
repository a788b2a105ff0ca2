"""Signing in at a provider that others wrote: the certified `oidc-provider`, with our portal as a real process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from flask import Flask
from sqlalchemy import select

from portal.identity.models import ExternalIdentity
from portal.invitations.models import Redemption
from portal.kernel import clock
from portal.kernel.db import db
from portal.providers import exchange
from portal.providers import queries as providers
from tests.conftest import missing
from tests.peers.openid import peer
from tests.redemption.ways import link_of
from tests.support import make
from tests.support.live import Server
from tests.support.pages import Page
from tests.twins.openid import add_provider

pytestmark = [pytest.mark.sqlite_only, pytest.mark.xdist_group("peer")]


class Peer:
    """The provider and our portal, which knows it as `peer`."""

    def __init__(self, issuer: str, server: Server) -> None:
        self.issuer, self.server = issuer, server


@pytest.fixture
def peered(app: Flask, live_server: Callable[..., Server], tmp_path: Path) -> Iterator[Peer]:
    server = live_server(workers=1)
    try:
        started = peer.running(f"{server.url}/sign-in/peer/callback", f"{server.url}/", tmp_path / "peer.log")
        with started as issuer:
            add_provider(server, "peer", issuer=issuer)  # type: ignore[arg-type]
            yield Peer(issuer, server)
    except peer.NoPeer as fault:
        missing("node", str(fault))


def leave(peered: Peer, browser: requests.Session, page: str) -> str:
    """Press the provider's button on a page of ours; gives where the browser is sent."""
    answer = browser.get(f"{peered.server.url}{page}")
    form = Page(answer.text).form("/sign-in/peer")
    forward = browser.post(f"{peered.server.url}/sign-in/peer", data=form.values, allow_redirects=False)
    assert forward.status_code == 200, f"{forward.status_code} {peered.server.log[-2000:]}"
    return forwarded(forward)


def forwarded(answer: requests.Response) -> str:
    """Where a page that forwards leads."""
    refresh = Page(answer.text).first("meta", http_equiv="refresh").attrs["content"]
    return refresh.partition("url=")[2]


def come_back(peered: Peer, browser: requests.Session, page: str, login: str) -> str:
    """Through the provider and back: the address of our callback, not opened yet."""
    return peer.sign_in(browser, leave(peered, browser, page), login, peered.server.url)


def test_redeeming_then_signing_in_again(peered: Peer) -> None:
    contact = make.make_contact("Pia", "Peer", "pia@example.org")
    invitation = make.make_invitation(contact, sent=True)
    browser = requests.Session()
    answer = browser.get(come_back(peered, browser, link_of(invitation, contact), "pia"))
    assert (answer.status_code, urlsplit(answer.url).path) == (200, "/welcome"), answer.text
    db.session.rollback()
    held = db.session.scalars(select(ExternalIdentity)).one()
    assert (held.issuer, held.subject, held.contact_id) == (peered.issuer, "pia", contact.id)
    redeemed = db.session.scalars(select(Redemption)).one()
    assert (redeemed.contact_id, redeemed.signed_in_by) == (contact.id, "provider:peer")

    another = requests.Session()
    callback = come_back(peered, another, "/sign-in", "pia")
    assert another.get(callback).status_code == 200
    assert another.get(f"{peered.server.url}/profile", allow_redirects=False).status_code == 200
    assert another.get(callback, allow_redirects=False).status_code == 400, "a state is good once"
    stranger = requests.Session()
    assert stranger.get(callback, allow_redirects=False).status_code == 400, "and in its own browser alone"


def test_an_address_that_is_not_verified_maps_nobody(peered: Peer) -> None:
    make.make_contact("Una", "Peer", "unproven@example.org")
    browser = requests.Session()
    answer = browser.get(come_back(peered, browser, "/sign-in", "unproven"))
    assert answer.status_code == 403
    db.session.rollback()
    assert db.session.scalar(select(ExternalIdentity)) is None


def test_saying_no_there(peered: Peer) -> None:
    contact = make.make_contact("Nora", "Peer", "nora@example.org")
    invitation = make.make_invitation(contact, sent=True)
    browser = requests.Session()
    asked = browser.get(leave(peered, browser, link_of(invitation, contact)))
    abort = next(link.attrs["href"] for link in Page(asked.text).all("a") if "abort" in link.attrs["href"])
    answer = browser.get(f"{peered.issuer}{urlsplit(abort).path}")
    assert urlsplit(answer.url).netloc == urlsplit(peered.server.url).netloc
    assert answer.status_code == 400
    assert "Peer" in answer.text
    review = browser.get(f"{peered.server.url}/redeem/review")
    assert review.status_code == 200, "the invitation is still there"
    db.session.rollback()
    assert db.session.scalar(select(Redemption)) is None


def test_signing_out_there_too(peered: Peer) -> None:
    contact = make.make_contact("Pia", "Peer", "pia@example.org")
    invitation = make.make_invitation(contact, sent=True)
    browser, here = requests.Session(), peered.server.url
    welcome = browser.get(come_back(peered, browser, link_of(invitation, contact), "pia"))
    form = Page(welcome.text).form("/sign-out")
    page = browser.post(f"{here}/sign-out", data=form.values)
    end = forwarded(page)
    assert end.startswith(f"{peered.issuer}/session/end?")
    assert peer.sign_in(browser, end, "", here) == f"{here}/"
    assert browser.get(f"{here}/profile", allow_redirects=False).status_code == 303


def test_proving_it_once_more(peered: Peer) -> None:
    provider, callback = providers.get("peer"), f"{peered.server.url}/sign-in/peer/callback"
    browser = requests.Session()

    def subject(login: str, *, again: bool) -> str:
        started = exchange.begin(provider, callback, clock.now(), again=again)
        back = peer.sign_in(browser, started.url, login, peered.server.url)
        args = dict(parse_qsl(urlsplit(back).query))
        return exchange.finish(provider, providers.secret(provider), callback, started.kept, args, clock.now()).subject

    assert subject("pia", again=False) == "pia"
    assert subject("nora", again=False) == "pia", "still signed in there"
    assert subject("nora", again=True) == "nora", "asked anew"
