"""All of it by keyboard: dialogs take the focus, keep it and give it back; pickers are walked with the arrows."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Window
from tests.support import make

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def owner(visit: Callable[..., Window]) -> Window:
    window = visit()
    window.sign_in(make.make_staff("owner", name="Olga Owner"))
    return window


def focused(window: Window, script: str) -> object:
    return window.page.evaluate(f"(() => {{ const e = document.activeElement; return {script} }})()")


def test_the_first_tab_leads_past_the_side_bar(owner: Window) -> None:
    page = owner.open("/staff/invitations/")
    page.keyboard.press("Tab")
    assert focused(owner, "e.classList.contains('skip-link')")
    page.keyboard.press("Enter")
    assert focused(owner, "e.id") == "main"


def test_a_dialog_opens_takes_the_focus_and_gives_it_back(owner: Window) -> None:
    invitation = make.make_invitation(make.make_contact("Anna", "Weber"), name="To send")
    page = owner.open(f"/staff/invitations/{invitation.id}")
    opener = page.get_by_role("link", name="Send Invitation").first
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog#dialog")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_role("heading")).to_have_text("Send Invitation")
    assert page.url.endswith(f"/staff/invitations/{invitation.id}"), "the page stays behind it"
    for _ in range(8):
        page.keyboard.press("Tab")
        assert focused(owner, "e === document.body || !!e.closest('dialog')"), "the focus stays inside"
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    assert focused(owner, "e.textContent.trim()") == "Send Invitation"


def test_a_dialog_is_left_with_its_button_too(owner: Window) -> None:
    invitation = make.make_invitation(make.make_contact(), name="To deactivate")
    page = owner.open(f"/staff/invitations/{invitation.id}")
    page.get_by_role("link", name="Deactivate").first.click()
    dialog = page.locator("dialog#dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_text(re.compile("^(Cancel|Close)$")).first.click()
    expect(dialog).not_to_be_visible()


def test_a_dialog_that_is_confirmed_says_what_happened(owner: Window) -> None:
    invitation = make.make_invitation(make.make_contact(), name="To deactivate")
    page = owner.open(f"/staff/invitations/{invitation.id}")
    page.get_by_role("link", name="Deactivate").first.click()
    page.locator("dialog#dialog").get_by_role("button", name="Deactivate").click()
    expect(page.locator("#toasts")).to_contain_text("deactivated")
    expect(page.get_by_role("main")).to_contain_text("Inactive")


def test_a_picker_is_walked_with_the_arrows(owner: Window) -> None:
    for number in range(3):
        make.make_contact("Findable", f"Person{number}")
    page = owner.open("/staff/invitations/new")
    search = page.locator("fieldset#contacts input[type=search]")
    search.focus()
    page.keyboard.type("Findable")
    results = page.locator("fieldset#contacts .picker-found input")
    expect(results).to_have_count(3)
    expect(page.locator("fieldset#contacts [data-picker-status]")).to_contain_text("3")
    page.keyboard.press("ArrowDown")
    assert focused(owner, "!!e.closest('[data-picker-found]')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    chosen = page.locator("fieldset#contacts .picker-chosen")
    expect(chosen).to_contain_text("Findable Person")
    expect(chosen.locator("input:checked")).to_have_count(1)


def test_escape_closes_the_results_of_a_picker(owner: Window) -> None:
    make.make_contact("Findable", "Person")
    page = owner.open("/staff/invitations/new")
    page.locator("fieldset#contacts input[type=search]").focus()
    page.keyboard.type("Findable")
    expect(page.locator("fieldset#contacts .picker-found input")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("fieldset#contacts .picker-found input")).to_have_count(0)


def test_a_refused_form_puts_the_focus_where_the_eye_goes(owner: Window) -> None:
    page = owner.open("/staff/accounts/new")
    page.locator("main form button[type=submit]").last.click()
    summary = page.get_by_role("alert").first
    expect(summary).to_be_visible()
    assert focused(owner, "!!e.closest('[data-error-summary]') || e.getAttribute('aria-invalid') === 'true'")
    summary.get_by_role("link").first.click()
    assert focused(owner, "e.name") == "name"


def test_enter_in_a_form_with_pickers_saves_and_does_not_search(owner: Window) -> None:
    page = owner.open("/staff/contacts/new")
    page.fill("input[name=first_name]", "By")
    page.fill("input[name=last_name]", "Enter")
    page.locator("input[name=last_name]").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("By Enter")


def test_a_password_can_be_shown(visit: Callable[..., Window]) -> None:
    make.make_staff("owner")
    page = visit().open("/sign-in")
    field = page.locator("input[name=password]")
    assert field.get_attribute("autocomplete") == "current-password"
    page.get_by_role("button", name="Show password").click()
    assert field.get_attribute("type") == "text"


def test_back_after_signing_out_shows_the_sign_in(owner: Window) -> None:
    page = owner.open("/staff/contacts/")
    page.locator("form[action='/staff/sign-out'] button").first.evaluate("button => button.form.submit()")
    page.wait_for_url(re.compile(r"/staff/sign-in"))
    page.go_back()
    expect(page).to_have_url(re.compile(r"/staff/sign-in"))
    assert "Olga" not in page.content()
