"""The template studio as site owners use it: refusals first, then editing, versions, tests, standing."""

from collections.abc import Callable
from typing import Any

import pytest

from portal.email_templates import queries
from portal.email_templates.models import EmailTemplate, TemplateVersion
from portal.journal import queries as journal
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail import letters, outbox, templates
from portal.mail.models import Message
from portal.mail.texts import Inactive
from tests.support import make
from tests.support.clients import HTMX, Client, location
from tests.support.pages import Page

SignIn = Callable[[str], Client]
HTML = "<p>{{ inviter_name }} invites you. {{ link }} {{ code }}</p>"
TEXT = "{{ inviter_name }} invites you. {{ link }} {{ code }}\n"
TYPED = {"subject": "Come to {{ site_name }}", "html": HTML, "text": TEXT}


@pytest.fixture
def template() -> EmailTemplate:
    return make.shipped_template()


@pytest.fixture
def editor(sign_in_as: SignIn) -> Client:
    return sign_in_as("editor")


@pytest.fixture
def url(app: Any, template: EmailTemplate) -> str:
    return f"/staff/email-templates/{template.id}"


def latest(url: str, language: str = "en") -> TemplateVersion | None:
    return queries.latest_version(int(url.rpartition("/")[2]), language)


def save(editor: Client, url: str, language: str = "en", **more: Any) -> Any:
    return editor.post_form(
        f"{url}/edit?language={language}", {**TYPED, **more}, page=f"{url}/edit?language={language}"
    )


def test_managers_and_viewers_do_not_see_it(sign_in_as: SignIn, url: str) -> None:
    for persona in ("manager", "viewer"):
        browser = sign_in_as(persona)
        assert browser.get(url).status_code == 403
        assert "/staff/email-templates/" not in browser.get("/staff/").get_data(as_text=True)


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        ("subject", "{{ contact_nam }}", "contact_nam"),
        ("subject", "a\x0bb", "control"),
        ("subject", "a\u2028b", "control"),
        ("subject", "", "fill this in"),
        ("subject", "x" * 201, "200"),
        ("html", "{{ ''.__class__ }}", "__class__"),
        ("html", "<p>\n\n{% if code %}", "Line 3"),
        ("html", "x" * 50_001, "50000"),
        ("text", "", "fill this in"),
        ("text", "{{ code | replace: 'a' }}", "replace"),
        ("note", "x" * 201, "200"),
        ("version", "x", "open the form again"),
        ("version", None, "open the form again"),
    ],
)
def test_a_text_that_cannot_be_sent_is_not_saved(
    editor: Client, url: str, dump: Callable[[], Any], field: str, typed: str | None, words: str
) -> None:
    before = dump()
    response = save(editor, url, **{field: typed})
    assert response.status_code == 422
    page = Page(response)
    assert words in page.root.text
    if field not in ("version", "subject") and typed:
        kept = page.first("textarea", name=field) if field in ("html", "text") else page.first("input", name=field)
        assert typed[:100] in ("".join(map(str, kept.children)) or kept.attrs["value"])
    assert dump() == before


def test_saving_makes_a_version_that_is_sent_from_then_on(editor: Client, url: str, template: EmailTemplate) -> None:
    response = save(editor, url, note="Warmer")
    assert (response.status_code, location(response)) == (303, f"{url}?language=en")
    version = latest(url)
    assert version is not None
    assert (version.number, version.subject, version.note) == (1, TYPED["subject"], "Warmer")
    made = templates.render("invitation", {"site_name": "Site", "inviter_name": "Bert", "link": "http://localhost/i/x"})
    assert made.subject == "Come to Site"
    assert made.version_id == version.id
    [line] = journal.timeline("template", template.id)
    assert "version 1" in line.text
    assert "Warmer" in line.text


def test_line_ends_of_forms_become_those_of_files(editor: Client, url: str) -> None:
    save(editor, url, text=TEXT.replace("\n", "\r\n") * 2)
    version = latest(url)
    assert version is not None
    assert version.text == TEXT * 2


def test_the_same_text_makes_no_version(editor: Client, url: str) -> None:
    unchanged = editor.post_form(f"{url}/edit", {})
    assert unchanged.status_code == 303
    assert latest(url) is None, "the shipped text, unchanged"
    save(editor, url)
    save(editor, url)
    version = latest(url)
    assert version is not None
    assert version.number == 1


def test_a_stale_edit_is_answered_with_both_texts(editor: Client, url: str) -> None:
    page = editor.page(f"{url}/edit")
    token = page.first("form", id="template-form").token  # type: ignore[attr-defined]
    save(editor, url, subject="First: {{ site_name }}")
    response = editor.post(f"{url}/edit", data={**TYPED, "csrf_token": token, "version": "0", "subject": "Second"})
    assert response.status_code == 409
    shown = Page(response)
    text = shown.first(data_testid="versions").text
    assert "First: {{ site_name }}" in text
    assert "Second" in text
    form = shown.first("form", id="template-form")
    assert form.first("input", name="version").attrs["value"] == "1"
    assert form.first("input", name="subject").attrs["value"] == "Second"
    version = latest(url)
    assert version is not None
    assert version.number == 1


def test_languages_are_edited_apart_and_fall_back(editor: Client, url: str) -> None:
    save(editor, url, "de", subject="Kommen Sie")
    assert latest(url) is None
    values = {"site_name": "Site", "inviter_name": "Bert", "link": "http://localhost/i/x"}
    assert templates.render("invitation", values, "de").subject == "Kommen Sie"
    own = make.make_template("Own")
    editor.get(f"/staff/email-templates/{own.id}")
    assert templates.render(own.key, {"site_name": "Site"}, "ar").subject == "N° 2", "the English one"
    shown = editor.page(f"/staff/email-templates/{own.id}?language=ar").root.text
    assert "There is no text in Arabic" in shown


def test_an_older_version_is_restored_as_a_new_one(editor: Client, url: str) -> None:
    save(editor, url, subject="One")
    save(editor, url, subject="Two")
    dialog = editor.page(f"{url}/restore?number=1")
    assert "One" in dialog.root.text
    response = editor.post_form(f"{url}/restore?language=en&number=1", {}, page=f"{url}/restore?language=en&number=1")
    assert response.status_code == 303
    version = latest(url)
    assert version is not None
    assert (version.number, version.subject) == (3, "One")
    assert editor.get(f"{url}/restore?number=9").status_code == 404
    assert editor.get(f"{url}/restore?number=x").status_code == 404


def test_back_to_the_shipped_text(editor: Client, url: str) -> None:
    save(editor, url)
    response = editor.post_form(f"{url}/default?language=en", {}, page=f"{url}/default?language=en")
    assert response.status_code == 303
    made = templates.render("invitation", {"site_name": "Site", "inviter_name": "Bert", "link": "http://localhost/i/x"})
    assert made.subject == "Bert invites you to Site"
    assert made.version_id is None
    again = editor.post(f"{url}/default", data={"csrf_token": editor.token(f"{url}/edit")})
    assert again.status_code == 409


def test_versions_are_compared_with_any_other(editor: Client, url: str) -> None:
    save(editor, url, subject="One")
    save(editor, url, subject="Two")
    shown = editor.page(f"{url}/compare?left=shipped&right=2")
    assert [e.text for e in shown.all("ins")][:1] == ["Added: Two"]
    assert "invites you to" in shown.first("del").text
    same = editor.page(f"{url}/compare?left=1&right=1").root.text
    assert same.count("No difference.") == 3


def test_the_preview_shows_what_is_typed_as_a_chosen_contact(editor: Client, url: str) -> None:
    contact = make.make_contact("Zoë", "Lang", "zoe@example.org")
    typed = {**TYPED, "subject": "Hi {{ contact_first_name }}", "preview_as": str(contact.id), "scheme": "dark"}
    typed["csrf_token"] = editor.token(f"{url}/edit")
    response = editor.post(f"{url}/preview?language=en", data=typed, headers=HTMX)
    page = Page(response)
    assert response.status_code == 200
    assert not page.all("form"), "the fragment alone"
    assert page.first(data_testid="preview-subject").text == "Hi Zoë"
    assert "invites you" in page.first(data_testid="preview-text").text
    frame = page.first("iframe")
    assert frame.attrs["sandbox"] == ""
    body = editor.get(frame.attrs["src"])
    assert "Ben Carter invites you." in body.get_data(as_text=True)
    assert "prefers-color-scheme" not in body.get_data(as_text=True)
    assert 'content="dark"' in body.get_data(as_text=True)
    policy = body.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert latest(url) is None


def test_without_javascript_the_preview_is_the_page_with_what_was_typed(editor: Client, url: str) -> None:
    typed = {**TYPED, "subject": "Typed {{ nonsense }}", "csrf_token": editor.token(f"{url}/edit")}
    page = Page(editor.post(f"{url}/preview", data=typed))
    assert page.status == 200
    assert page.first("input", name="subject").attrs["value"] == "Typed {{ nonsense }}"
    assert "nonsense" in page.first(data_testid="findings").text


def test_a_draft_belongs_to_its_browser_and_template(editor: Client, sign_in_as: SignIn, url: str) -> None:
    typed = {**TYPED, "csrf_token": editor.token(f"{url}/edit")}
    src = Page(editor.post(f"{url}/preview", data=typed, headers=HTMX)).first("iframe").attrs["src"]
    assert editor.get(src).status_code == 200
    assert sign_in_as("owner").get(src).status_code == 404
    other = make.shipped_template("reminder").id
    assert editor.get(src.replace(url, f"/staff/email-templates/{other}")).status_code == 404


def test_a_test_goes_to_whoever_asks_and_saves_nothing(editor: Client, url: str, persona: Any) -> None:
    page = f"{url}/edit?language=de"
    data = {**TYPED, "csrf_token": editor.token(page), "version": "0"}
    response = editor.post(f"{url}/test?language=de", data=data)
    assert response.status_code == 303
    back = editor.page(location(response))
    assert back.first("input", name="subject").attrs["value"] == TYPED["subject"]
    message = db.session.scalars(db.select(Message).filter_by(kind="template-test")).one()
    assert message.staff_id == persona("editor").id
    letters.write(message.id, clock.now())
    prepared = outbox.prepares["template-test"](message, clock.now())
    made = templates.made(prepared.source, prepared.values)  # type: ignore[arg-type]
    assert prepared.to == persona("editor").email
    assert made.subject.startswith("[Test] Come to ")
    assert set(made.links) == {"http://localhost/test-link"}
    assert latest(url, "de") is None


def test_a_test_of_what_cannot_be_sent_is_refused(editor: Client, url: str, dump: Callable[[], Any]) -> None:
    data = {**TYPED, "html": "{{ nonsense }}", "csrf_token": editor.token(f"{url}/edit"), "version": "0"}
    before = dump()
    assert editor.post(f"{url}/test", data=data).status_code == 422
    assert dump() == before


def test_nobody_sends_themselves_tests_without_end(editor: Client, url: str, persona: Any) -> None:
    data = {**TYPED, "csrf_token": editor.token(f"{url}/edit"), "version": "0"}
    answers = [editor.post(f"{url}/test", data=data).status_code for _ in range(21)]
    assert answers == [303] * 20 + [429]
    assert db.session.query(Message).filter_by(kind="template-test").count() == 20


def test_a_sender_of_another_domain_is_not_used_any_more(app: Any, editor: Client, url: str) -> None:
    with transaction():
        template = queries.get(int(url.rpartition("/")[2]))
        template.sender = "ceo@before.example"
    found = queries.in_force(template.key, "en")
    assert found is not None
    assert found.sender is None


def test_the_links_of_a_test_say_so(client: Client) -> None:
    assert "This was a test" in client.page("/test-link").root.text


def test_a_deactivated_template_sends_nothing_and_says_so(editor: Client, url: str) -> None:
    dialog = editor.page(f"{url}/deactivate").root.text
    assert "No invitation can be sent" in dialog
    editor.post_form(f"{url}/deactivate", {})
    with pytest.raises(Inactive):
        templates.render("invitation", {"site_name": "Site"})
    assert "Nothing is sent with this template" in editor.page(url).root.text
    editor.post_form(f"{url}/activate", {})
    assert queries.in_force("invitation", "en") is not None


@pytest.mark.parametrize(
    "sender", ["nonsense", "news@elsewhere.example", "a@portal.example, b@portal.example", "ä@portal.example"]
)
def test_a_sender_that_would_not_be_ours_is_refused(editor: Client, url: str, sender: str) -> None:
    assert editor.post_form(f"{url}/settings", {"sender": sender}).status_code == 422


def test_a_template_has_its_own_sender(editor: Client, url: str) -> None:
    assert editor.post_form(f"{url}/settings", {"sender": "news@PORTAL.example"}).status_code == 303
    made = templates.render("invitation", {"site_name": "Site", "inviter_name": "Bert", "link": "http://localhost/i/x"})
    assert made.sender == "news@portal.example"
    stale = editor.post_form(f"{url}/settings", {"sender": "", "version": "1"})
    assert stale.status_code == 409


def test_a_template_of_ones_own(editor: Client) -> None:
    assert editor.post_form("/staff/email-templates/new", {"name": ""}).status_code == 422
    response = editor.post_form("/staff/email-templates/new", {"name": "Newsletter"})
    assert response.status_code == 303
    own = db.session.scalars(db.select(EmailTemplate).filter_by(name="Newsletter")).one()
    assert own.kind == "message"
    assert editor.get(location(response)).status_code == 200
    assert templates.render(own.key, {"site_name": "Site"}).subject == "A message from Site"
    refused = editor.post(
        f"/staff/email-templates/{own.id}/default",
        data={"csrf_token": editor.token(f"/staff/email-templates/{own.id}/edit")},
    )
    assert refused.status_code == 409


def test_the_record_counts_the_messages_of_each_version(editor: Client, url: str) -> None:
    save(editor, url)
    version = latest(url)
    assert version is not None
    message = make.make_message("invitation", state="sent", template_version_id=version.id)
    row = editor.page(url).first("td", data_label="Messages")
    assert row.text == "1"
    shown = editor.page(f"/staff/outbox/{message.id}").root.text
    assert "version 1 in English" in shown


def test_no_page_asks_more_than_it_needs(editor: Client, url: str, statements: Callable[[], Any]) -> None:
    for number in range(3):
        save(editor, url, subject=f"N° {number}")
    for page in ("/staff/email-templates/", url, f"{url}/edit", f"{url}/compare", f"{url}/restore?number=1"):
        with statements() as sent:
            assert editor.get(page).status_code == 200
        assert len(sent) <= 12, page


def test_a_text_of_50_kb_is_filled_in_at_once(editor: Client, url: str) -> None:
    """What `make bench` measures; here that it can be saved and previewed at all."""
    long = (HTML + "\n") * (49_000 // len(HTML + "\n"))
    assert save(editor, url, html=long).status_code == 303
    assert editor.get(f"{url}/preview/body").status_code == 200
