"""The main job in a browser, with and without scripts: invite, send, read the mail, follow the link, arrive."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window
from tests.support import make

pytestmark = pytest.mark.sqlite_only
WITHIN_SECONDS = 30
with_and_without_scripts = pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "plain"])


def choose(page: Page, picker: str, search: str, *, javascript: bool) -> None:
    """Find a record in a picker by its name and tick it; without scripts, the *Find* button sends the form."""
    field = page.locator(f"fieldset#{picker}")
    field.locator("input[type=search]").fill(search)
    if not javascript:
        field.locator("button[name=find]").click()
    field.locator(".picker-found").get_by_label(search).check()


def until(page: Page, url: str, place: str, text: str) -> None:
    """Reload a page until it says so there."""
    end = time.monotonic() + WITHIN_SECONDS
    while True:
        page.goto(url)
        if page.locator(place).filter(has_text=text).count():
            return
        assert time.monotonic() < end, page.locator("main").inner_text()
        time.sleep(0.3)


def invite(staff: Window, role: str) -> str:
    """Create a contact and, from its page, an invitation that is sent at once. Returns the invitation's address."""
    page = staff.open("/staff/contacts/new")
    page.fill("input[name=first_name]", "Anna")
    page.fill("input[name=last_name]", "Weber")
    page.fill("input[name=email1]", "anna@example.org")
    page.locator("main form").get_by_role("button", name=re.compile("^(Save|Create)")).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Anna Weber")
    page.get_by_role("link", name="Create Invitation").click()
    expect(page.locator("input[name=name]")).to_have_value("Anna Weber")
    expect(page.locator("fieldset#contacts .picker-chosen")).to_contain_text("Anna Weber")
    page.get_by_label(role).check()
    page.select_option("select[name=workflow]", label="Welcome e-mail")
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Anna Weber")
    address = page.url.removeprefix(staff.site.url)
    assert re.fullmatch(r"/staff/invitations/\d+", address)
    page.get_by_role("link", name="Send Invitation").first.click()
    expect(page.get_by_test_id("recipients")).to_contain_text("anna@example.org")
    page.get_by_role("button", name="OK").click()
    expect(page.locator("main")).to_contain_text("Open")
    return address


def mailed_link(staff: Window) -> str:
    """The link in the invitation mail, read in the outbox once the worker has delivered it."""
    page = staff.page
    until(page, staff.url("/staff/outbox/"), "tbody tr", "Anna Weber")
    page.get_by_role("link", name=re.compile("Invitation|Anna Weber")).last.click()
    until(page, page.url, "[data-testid=letter]", "Anna")
    link = page.get_by_test_id("letter-link").filter(has_text="/i/").first
    body = page.frame_locator("iframe").locator("body")
    expect(body).to_contain_text("Anna")
    return str(link.get_attribute("href"))


@with_and_without_scripts
def test_invite_send_redeem(visit: Callable[..., Window], *, javascript: bool) -> None:
    owner = make.make_staff("owner", name="Olga Owner")
    make.make_role("Suppliers", description="May see the orders")
    staff = visit(javascript=javascript)
    staff.sign_in(owner)
    invitation = invite(staff, "Suppliers")
    link = mailed_link(staff)

    invitee = visit(javascript=javascript)
    page = invitee.page
    page.goto(link)
    page.wait_for_url("**/redeem/review")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Olga Owner invites you")
    expect(page.locator("main")).to_contain_text("Suppliers")
    expect(page.locator("input[type=email]")).to_have_value("anna@example.org")
    page.fill("input[name=username]", "anna.weber")
    page.fill("input[name=password]", "short")
    page.fill("input[name=confirm]", "short")
    page.get_by_role("button", name="Accept and create my sign-in").click()
    expect(page.get_by_role("alert")).to_contain_text("15 characters")
    expect(page.locator("input[name=username]")).to_have_value("anna.weber")
    page.fill("input[name=password]", make.PASSWORD)
    page.fill("input[name=confirm]", make.PASSWORD)
    page.get_by_role("button", name="Accept and create my sign-in").click()
    page.wait_for_url("**/welcome")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Welcome, Anna")
    expect(page.get_by_test_id("granted")).to_contain_text("Suppliers")
    page.get_by_role("link", name="Go to your profile").click()
    expect(page.locator("main")).to_contain_text("Suppliers")

    until(staff.page, staff.url(invitation), "aside", "Workflow done")
    expect(staff.page.locator("main")).to_contain_text("Completed")
    expect(staff.page.locator("aside").last).to_contain_text("Invite Redemption")
    staff.page.locator("main").get_by_role("link", name="Anna Weber").first.click()
    expect(staff.page).to_have_url(re.compile(r"/staff/contacts/\d+"))
    expect(staff.page.locator("aside").last).to_contain_text("Invite Redemption")
    until(staff.page, staff.url("/staff/outbox/"), "tbody tr", "Message of a workflow")


@with_and_without_scripts
def test_a_group_code_typed_by_a_stranger(visit: Callable[..., Window], *, javascript: bool) -> None:
    make.make_staff("owner", name="Olga Owner")
    group = make.make_invitation(name="Everybody", type="group", max_redemptions=3)
    code = make.code_of(group)
    window = visit(javascript=javascript)
    page = window.open("/redeem")
    page.fill("input[name=code]", "0000-0000-0000-0000")
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator("main")).to_contain_text("code")
    page.fill("input[name=code]", code.lower().replace("-", " "))
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url("**/redeem/review")
    assert code not in page.content()
    page.fill("input[name=first_name]", "Bruno")
    page.fill("input[name=last_name]", "Costa")
    page.fill("input[name=email]", "bruno@example.org")
    page.fill("input[name=username]", "bruno")
    page.fill("input[name=password]", make.PASSWORD)
    page.fill("input[name=confirm]", make.PASSWORD)
    page.get_by_role("button", name="Accept and create my sign-in").click()
    page.wait_for_url("**/welcome")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Bruno")


@with_and_without_scripts
def test_pickers_find_and_keep_what_was_chosen(visit: Callable[..., Window], *, javascript: bool) -> None:
    owner = make.make_staff("owner")
    for name in ("Alba", "Bela", "Cara"):
        make.make_contact(name, "Findable")
    make.make_account("Acme Works")
    window = visit(javascript=javascript)
    window.sign_in(owner)
    page = window.open("/staff/invitations/new")
    page.fill("input[name=name]", "Kept while searching")
    page.check("input[name=type][value=group]") if page.locator("input[name=type]").count() else page.select_option(
        "select[name=type]", "group"
    )
    choose(page, "contacts", "Bela", javascript=javascript)
    choose(page, "account", "Acme", javascript=javascript)
    expect(page.locator("input[name=name]")).to_have_value("Kept while searching")
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Kept while searching")
    expect(page.locator("main")).to_contain_text("Bela Findable")
    expect(page.locator("main")).to_contain_text("Acme Works")
    expect(page.locator("main")).not_to_contain_text("Cara")


@with_and_without_scripts
def test_ticked_rows_are_sent_after_a_look(visit: Callable[..., Window], *, javascript: bool) -> None:
    owner = make.make_staff("owner")
    contacts = [make.make_contact("Bulk", f"No{n}", f"bulk{n}@example.org") for n in range(2)]
    for contact in contacts:
        make.make_invitation(contact, name=f"For {contact.last_name}", owner=owner)
    without = make.make_contact("Without", "Address", None)
    make.make_invitation(without, name="For nobody", owner=owner)
    window = visit(javascript=javascript)
    window.sign_in(owner)
    page = window.open("/staff/invitations/?view=new")
    for box in page.locator("input[name=ids]").all():
        box.check()
    page.get_by_role("button", name=re.compile("Send")).first.click()
    expect(page.locator("body")).to_contain_text("Without Address")
    page.get_by_role("button", name="OK").click()
    expect(page.locator("main")).to_contain_text("2 e-mails are on their way")
    page.goto(window.url("/staff/invitations/?view=open"))
    expect(page.locator("main")).to_contain_text("For No0")
    expect(page.locator("main")).to_contain_text("For No1")
    expect(page.locator("main")).not_to_contain_text("For nobody")
