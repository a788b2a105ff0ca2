"""The pages of sign-in providers: what is refused, what they never show, and what they do."""

from typing import Any

import pytest
from flask import Flask

from portal.identity.models import ExternalIdentity
from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.providers import queries, services
from portal.providers.models import Provider
from portal.providers.presets import PRESETS
from portal.staff.models import StaffIdentity
from tests.support import make
from tests.support.clients import location
from tests.support.pages import Page
from tests.twins.web import Answer

LIST, NEW = "/staff/settings/providers/", "/staff/settings/providers/new"
TENANT = "8d1f0a52-1c6e-4a0b-9b57-3f2f5a6f7c10"
OIDC = {"issuer": "https://login.example.org", "client_id": "portal", "client_secret": "s3cret", "slug": "own"}
GITHUB = {"client_id": "portal", "client_secret": "s3cret"}
OWN_GITHUB = {
    "authorize_url": "https://git.example.org/login/oauth/authorize",
    "token_url": "https://git.example.org/login/oauth/access_token",
    "userinfo_url": "https://git.example.org/api/v3/user",
}


def edit_url(provider: Provider) -> str:
    return f"{LIST}{provider.id}/edit"


def link(provider: Provider) -> None:
    """Somebody signs in with it."""
    contact_id, provider_id, issuer, now = make.make_contact().id, provider.id, provider.issuer, clock.now()
    with transaction():
        values = {"provider_id": provider_id, "issuer": issuer, "subject": "7", "created_at": now}
        db.session.add(ExternalIdentity(contact_id=contact_id, **values))


def order() -> list[str]:
    return [provider.slug for provider in queries.all_of_them()]


@pytest.mark.parametrize(
    ("preset", "typed", "field"),
    [
        ("oidc", {"caption": ""}, "caption"),
        ("oidc", {"caption": "x" * 101}, "caption"),
        ("oidc", {"caption": "Own\x1bsign-in"}, "caption"),
        ("oidc", {"mark": "brand-evil"}, "mark"),
        ("oidc", {"issuer": ""}, "issuer"),
        ("oidc", {"issuer": "login.example.org"}, "issuer"),
        ("oidc", {"issuer": "http://login.example.org"}, "issuer"),
        ("oidc", {"issuer": "javascript:alert(1)"}, "issuer"),
        ("oidc", {"issuer": "https://login.example.org/?x=1"}, "issuer"),
        ("oidc", {"issuer": "https://login.example.org/#x"}, "issuer"),
        ("oidc", {"issuer": "https://user:pw@login.example.org"}, "issuer"),
        ("oidc", {"issuer": "https://login.example.org:port"}, "issuer"),
        ("oidc", {"issuer": "https://" + "x" * 300}, "issuer"),
        ("oidc", {"client_id": ""}, "client_id"),
        ("oidc", {"client_id": "x" * 301}, "client_id"),
        ("oidc", {"client_secret": "x" * 1001}, "client_secret"),
        ("oidc", {"client_secret": "two\nlines"}, "client_secret"),
        ("oidc", {"scopes": ""}, "scopes"),
        ("oidc", {"scopes": "email profile"}, "scopes"),
        ("oidc", {"scopes": 'openid "email"'}, "scopes"),
        ("oidc", {"claim_email": "two words"}, "claim_email"),
        ("oidc", {"claim_language": "x" * 101}, "claim_language"),
        ("oidc", {"for_sign_in": False}, "for_registration"),
        ("oidc", {"trusted_for_email": True, "claim_email": "upn"}, "trusted_for_email"),
        ("oidc", {"slug": ""}, "slug"),
        ("oidc", {"slug": "Own"}, "slug"),
        ("oidc", {"slug": "own/callback"}, "slug"),
        ("oidc", {"slug": "-own"}, "slug"),
        ("oidc", {"slug": "x" * 41}, "slug"),
        ("oidc", {"slug": "passkey"}, "slug"),
        ("oidc", {"slug": "taken"}, "slug"),
        ("entra", {"tenant": ""}, "tenant"),
        ("entra", {"tenant": "common"}, "tenant"),
        ("entra", {"tenant": "contoso.onmicrosoft.com"}, "tenant"),
        ("entra", {"tenant": f"{TENANT}/../common"}, "tenant"),
        ("entra", {"tenant": TENANT, "trusted_for_email": "y"}, "trusted_for_email"),
        ("linkedin", {"trusted_for_email": "y"}, "trusted_for_email"),
        ("facebook", {"trusted_for_email": "y"}, "trusted_for_email"),
        ("github", {"authorize_url": ""}, "authorize_url"),
        ("github", {"authorize_url": "https://[/login"}, "authorize_url"),
        ("github", {"token_url": "http://github.com/x"}, "token_url"),
        ("github", {"userinfo_url": "https://git.example.org/api/v3/user"}, "userinfo_url"),
        ("github", {**OWN_GITHUB, "authorize_url": f"https://git.example.org/{'x' * 320}/authorize"}, "authorize_url"),
        ("github", {**OWN_GITHUB, "token_url": "https://elsewhere.example/token"}, "token_url"),
        ("github", {**OWN_GITHUB, "userinfo_url": "https://elsewhere.example/user"}, "userinfo_url"),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_bad_input_is_refused(sign_in_as: Any, dump: Any, preset: str, typed: dict[str, Any], field: str) -> None:
    make.make_provider("taken")
    owner = sign_in_as("owner")
    before = dump()
    usual = OIDC if preset == "oidc" else GITHUB
    response = owner.post_form(f"{NEW}?preset={preset}", {**usual, **typed})
    page = Page(response)
    assert response.status_code == 422
    assert field in page.errors
    assert "s3cret" not in response.text, "a secret is never sent back"
    assert "client_secret" in page.errors, "so it is asked for again"
    assert dump() == before


@pytest.mark.parametrize("preset", ["entra", "linkedin", "facebook"])
@pytest.mark.sqlite_only
def test_a_provider_that_proves_no_address_says_why(sign_in_as: Any, preset: str) -> None:
    page = sign_in_as("owner").page(f"{NEW}?preset={preset}")
    assert str(PRESETS[preset].distrusted_because) in page.text
    assert "trusted_for_email" not in page.form(NEW).names


def test_every_preset_makes_a_provider_that_holds_what_was_typed(sign_in_as: Any) -> None:
    owner = sign_in_as("owner")
    for name in PRESETS:
        shown = owner.page(f"{NEW}?preset={name}").form(NEW).names
        typed = {key: value for key, value in {**OIDC, "slug": name, "tenant": TENANT}.items() if key in shown}
        response = owner.post_form(f"{NEW}?preset={name}", typed)
        assert response.status_code == 303, name
        page = owner.follow(response)
        assert f"http://localhost/sign-in/{name}/callback" in page.text
        assert f"http://localhost/staff/sign-in/{name}/callback" in page.text
    assert order() == list(PRESETS)
    assert all(queries.secret(provider) == "s3cret" for provider in queries.all_of_them())
    assert queries.get("entra").issuer == f"https://login.microsoftonline.com/{TENANT}/v2.0"
    assert (queries.get("linkedin").waives, queries.get("google").waives) == (["nonce", "pkce"], [])
    assert queries.get("github").issuer == "https://github.com/login/oauth"


def test_the_secret_is_stored_sealed_and_shown_to_nobody(sign_in_as: Any) -> None:
    owner = sign_in_as("owner")
    assert owner.post_form(f"{NEW}?preset=oidc", OIDC).status_code == 303
    own = queries.get("own")
    assert "s3cret" not in str(own.secret_sealed)
    url = edit_url(own)
    for page in (LIST, f"{LIST}{own.id}", url, "/staff/journal/"):
        assert "s3cret" not in owner.get(page).text
    assert owner.post_form(url, {"caption": "Our own", "client_secret": ""}).status_code == 303
    assert queries.secret(queries.get("own")) == "s3cret", "left empty, it stays"
    assert owner.post_form(url, {"client_secret": "n3w"}).status_code == 303
    assert queries.secret(queries.get("own")) == "n3w"
    entries = db.session.scalars(db.select(JournalEntry).where(JournalEntry.action.like("provider.%"))).all()
    assert [entry.action for entry in entries] == ["provider.created", "provider.updated", "provider.updated"]
    assert entries[2].detail == {"changes": {"client_secret": True}}
    assert not any("s3cret" in str(e.detail) or "n3w" in str(e.detail) for e in entries)


def test_the_secret_goes_to_no_other_address_unless_it_is_typed_again(sign_in_as: Any, dump: Any) -> None:
    own = make.make_provider("own", secret="s3cret")
    owner = sign_in_as("owner")
    before = dump()
    response = owner.post_form(edit_url(own), {"issuer": "https://evil.example"})
    assert response.status_code == 422
    assert "client_secret" in Page(response).errors
    assert dump() == before
    typed = {"issuer": "https://other.example", "client_secret": "other"}
    assert owner.post_form(edit_url(own), typed).status_code == 303
    assert queries.get("own").issuer == "https://other.example"


def test_people_are_not_cut_off_by_another_issuer(sign_in_as: Any, dump: Any) -> None:
    own = make.make_provider("own", secret="s3cret")
    link(own)
    owner = sign_in_as("owner")
    before = dump()
    response = owner.post_form(edit_url(own), {"issuer": "https://other.example", "client_secret": "other"})
    assert response.status_code == 422
    assert "1 sign-in of a contact" in Page(response).errors["issuer"]
    assert dump() == before


@pytest.mark.parametrize("version", [None, "", "x"], ids=str)
@pytest.mark.sqlite_only
def test_an_edit_without_a_proper_version_is_refused(sign_in_as: Any, version: str | None) -> None:
    own = make.make_provider("own")
    response = sign_in_as("owner").post_form(edit_url(own), {"caption": "Other", "version": version})
    assert response.status_code == 422
    assert queries.get("own").caption == "Own"


def test_a_new_version_of_an_interface_is_the_same_provider(sign_in_as: Any) -> None:
    owner = sign_in_as("owner")
    assert owner.post_form(f"{NEW}?preset=facebook", GITHUB).status_code == 303
    url = edit_url(queries.get("facebook"))
    newer = "https://www.facebook.com/v99.0/dialog/oauth"
    assert owner.post_form(url, {"authorize_url": newer, "client_secret": "s3cret"}).status_code == 303
    facebook = queries.get("facebook")
    assert (facebook.authorize_url, facebook.issuer) == (newer, "https://www.facebook.com")


def test_a_stale_edit_shows_both_versions(sign_in_as: Any) -> None:
    own = make.make_provider("own")
    url, owner = edit_url(own), sign_in_as("owner")
    opened = dict(owner.page(url).form(url).values)
    assert owner.post_form(url, {"caption": "Quick", "for_staff": True}).status_code == 303
    response = owner.post(url, data={**opened, "caption": "Slow", "client_secret": "hush"})
    page = Page(response)
    assert response.status_code == 409
    assert "Quick" in page.testid("versions").text
    assert "Slow" in page.testid("versions").text
    assert "hush" not in response.text
    assert owner.post(url, data=dict(page.form(url).values)).status_code == 303
    assert queries.get("own").caption == "Slow"


def test_slug_preset_and_source_cannot_be_changed_by_posting_them(sign_in_as: Any) -> None:
    own = make.make_provider("own")
    url, owner = edit_url(own), sign_in_as("owner")
    opened = dict(owner.page(url).form(url).values)
    forged = {**opened, "slug": "else", "preset": "google", "kind": "oauth2", "source": "file", "waives": "nonce"}
    forged |= {"authorize_url": "https://evil.example/a", "position": "9", "enabled": ""}
    assert owner.post(url, data=forged).status_code == 303
    own = queries.get("own")
    assert (own.preset, own.kind, own.source, own.waives, own.authorize_url) == ("oidc", "oidc", "page", [], None)
    assert (own.enabled, own.version) == (True, 1)


def test_a_provider_that_somebody_needs_is_not_deleted_and_can_be_switched_off(sign_in_as: Any, dump: Any) -> None:
    own = make.make_provider("own", for_staff=True)
    link(own)
    staff_id, provider_id, now = make.make_staff("viewer").id, own.id, clock.now()
    with transaction():
        values = {"provider_id": provider_id, "issuer": "https://own.example", "subject": "8", "created_at": now}
        db.session.add(StaffIdentity(staff_id=staff_id, **values))
    owner, url = sign_in_as("owner"), f"{LIST}{provider_id}/delete"
    page = owner.page(url)
    assert "1 staff sign-in, 1 sign-in of a contact" in page.text
    assert page.has_button("Switch off")
    before = dump()
    assert owner.post(url, data={"csrf_token": owner.token(LIST)}).status_code == 409
    assert dump() == before
    assert owner.post_form(f"{LIST}{provider_id}/switch", page=url).status_code == 303
    assert (queries.offered(), queries.offered_to_staff()) == ([], [])
    assert queries.get("own").for_staff, "what it is for stays as chosen"
    assert owner.post_form(f"{LIST}{provider_id}/switch", page=f"{LIST}{provider_id}").status_code == 303
    assert [p.slug for p in queries.offered()] == ["own"]


def test_one_that_nobody_needs_is_deleted(sign_in_as: Any) -> None:
    own = make.make_provider("own", secret="s3cret")
    owner, url = sign_in_as("owner"), f"{LIST}{own.id}/delete"
    assert owner.post_form(url).status_code == 303
    assert order() == []
    assert owner.get(url).status_code == 404
    assert "provider.deleted" in db.session.scalars(db.select(JournalEntry.action)).all()


def test_the_only_one_behind_sign_in_stays(sign_in_as: Any, dump: Any) -> None:
    own = make.make_provider("own")
    provider_id = own.id
    make.set_site(only_provider="own")
    owner = sign_in_as("owner")
    before, token = dump(), owner.token(LIST)
    for act in ("delete", "switch"):
        assert owner.post(f"{LIST}{provider_id}/{act}", data={"csrf_token": token}).status_code == 409
    response = owner.post_form(edit_url(own), {"for_sign_in": False, "for_registration": False})
    assert response.status_code == 422
    assert "for_sign_in" in Page(response).errors
    assert dump() == before


def test_the_order_is_the_owners(sign_in_as: Any) -> None:
    for slug in ("a", "b", "c"):
        make.make_provider(slug)
    owner = sign_in_as("owner")
    ids = {provider.slug: provider.id for provider in queries.all_of_them()}
    token = owner.token(LIST)
    for slug, up, after in (
        ("c", "1", "acb"),
        ("c", "1", "cab"),
        ("c", "1", "cab"),
        ("b", "0", "cab"),
        ("c", "0", "acb"),
    ):
        sent = {"csrf_token": token, "up": up}
        assert owner.post(f"{LIST}{ids[slug]}/move", data=sent).status_code == 303
        assert order() == list(after)


def test_a_change_needs_a_fresh_proof_of_who_one_is(sign_in_as: Any, frozen_clock: Any, dump: Any) -> None:
    own = make.make_provider("own")
    owner, token_page = sign_in_as("owner"), f"{LIST}{own.id}"
    frozen_clock.move(minutes=11)
    token, before = owner.token(token_page), dump()
    for url in (f"{NEW}?preset=oidc", edit_url(own), f"{LIST}{own.id}/delete"):
        response = owner.get(url)
        assert response.status_code == 303
        assert location(response).startswith("/staff/confirm?next=")
    for act in ("edit", "delete", "switch"):
        response = owner.post(f"{LIST}{own.id}/{act}", data={"csrf_token": token, "caption": "x", "version": "1"})
        assert response.status_code == 303
        assert location(response).startswith("/staff/confirm")
    assert dump() == before


@pytest.mark.parametrize("who", ["manager", "editor", "viewer"])
@pytest.mark.sqlite_only
def test_only_owners_see_providers(sign_in_as: Any, who: str) -> None:
    own = make.make_provider("own")
    browser = sign_in_as(who)
    assert "Sign-in providers" not in browser.page("/staff/").text
    for url in (LIST, NEW, f"{LIST}{own.id}", edit_url(own)):
        assert browser.get(url).status_code == 403


def test_testing_a_provider_that_answers(sign_in_as: Any, openid: Any, dump: Any) -> None:
    own = make.make_provider("own", issuer=openid.issuer)
    openid.answers["/authorize"] = Answer(status=400)  # nobody is sent there properly: it complains, so it is there
    owner, url = sign_in_as("owner"), f"{LIST}{own.id}"
    before = dump()
    response = owner.post_form(f"{url}/test", page=url)
    page = owner.follow(response)
    assert openid.issuer in page.text
    assert "usable key" in page.text
    assert "cannot be used" not in page.text
    assert dump() == before, "it changes nothing"
    assert "usable key" not in owner.page(url).text, "the outcome is told once"


@pytest.mark.parametrize(
    ("metadata", "words"),
    [({"issuer": "https://evil.example"}, "calls itself"), ({"authorization_endpoint": None}, "does not name its")],
)
def test_testing_a_provider_that_is_not_what_it_should_be(
    sign_in_as: Any, openid: Any, metadata: dict[str, Any], words: str
) -> None:
    own = make.make_provider("own", issuer=openid.issuer)
    openid.behave(metadata=metadata)
    url, owner = f"{LIST}{own.id}", sign_in_as("owner")
    page = owner.follow(owner.post_form(f"{url}/test", page=url))
    assert "cannot be used as it is set up" in page.text
    assert words in page.text


@pytest.mark.sqlite_only
def test_testing_a_provider_where_nobody_answers(sign_in_as: Any) -> None:
    own = make.make_provider("own", issuer="http://127.0.0.1:9")
    url, owner = f"{LIST}{own.id}", sign_in_as("owner")
    page = owner.follow(owner.post_form(f"{url}/test", page=url))
    assert "127.0.0.1 cannot be reached" in page.text


@pytest.mark.sqlite_only
def test_testing_an_oauth_provider_asks_its_three_addresses(sign_in_as: Any, github: Any) -> None:
    provider = github.provider()
    github.answers["/login/oauth/authorize"] = Answer(status=404)
    url, owner = f"{LIST}{provider.id}", sign_in_as("owner")
    page = owner.follow(owner.post_form(f"{url}/test", page=url))
    assert page.text.count("There is an answer at") == 3


@pytest.mark.sqlite_only
@pytest.mark.parametrize("preset", ["", "?preset=nonsense"])
def test_nothing_is_made_of_no_preset(sign_in_as: Any, dump: Any, preset: str) -> None:
    owner = sign_in_as("owner")
    before = dump()
    assert owner.post(f"{NEW}{preset}", data={**OIDC, "csrf_token": owner.token(LIST)}).status_code == 400
    assert dump() == before


@pytest.mark.sqlite_only
def test_no_provider_can_take_an_address_that_the_portal_has_itself(app: Flask) -> None:
    rules = [rule.rule for rule in app.url_map.iter_rules()]
    below = [r.removeprefix("/staff").removeprefix("/sign-in/") for r in rules if "/sign-in/" in r]
    own = {rest.partition("/")[0] for rest in below if not rest.startswith("<")}
    assert own <= services.RESERVED
