"""The template studio in a browser, as a site owner uses it: preview, error, test, save, restore."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Window
from tests.support import make

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def editor(visit: Callable[..., Window]) -> Window:
    window = visit()
    window.sign_in(make.make_staff("editor", name="Edda Editor"))
    return window


def test_a_text_is_changed_previewed_tested_saved_and_restored(editor: Window) -> None:
    url = f"/staff/email-templates/{make.shipped_template().id}"
    page = editor.open(f"{url}/edit")
    save = page.locator(".form-buttons").get_by_role("button", name="Save")
    subject, html = page.get_by_label("Subject"), page.get_by_role("textbox", name="HTML")
    shown = page.get_by_test_id("preview-subject")

    subject.fill("Come to {{ site_name }}, {{ contact_first_name }}")
    expect(shown).to_have_text("Come to Invitation Portal, Anna")
    html.click()
    page.keyboard.press("Control+Home")
    page.keyboard.type("<p>{{ contact_nam }}</p>")
    expect(page.get_by_test_id("findings")).to_contain_text("There is no placeholder {{ contact_nam }}")
    expect(page.locator(".cm-lintRange-error")).to_have_count(1)
    save.click()
    expect(page.locator(".error-summary")).to_contain_text("Line 1: There is no placeholder {{ contact_nam }}")

    html.click()
    page.keyboard.press("Control+Home")
    page.keyboard.press("Shift+End")
    page.keyboard.press("Delete")
    page.keyboard.type("<tr>")
    page.locator("[data-insert]", has_text="contact_first_name").click()
    expect(page.locator("[data-finding]")).to_have_count(0)
    assert '{{ contact_first_name | default: "you" }}' in page.locator("#html").input_value()
    page.get_by_role("button", name="Send a test to me").click()
    expect(page.locator("#toasts")).to_contain_text("A test goes to")
    expect(subject).to_have_value("Come to {{ site_name }}, {{ contact_first_name }}")
    save.click()
    page.wait_for_url(f"**{url}?language=en")
    page.goto(editor.url(f"{url}/edit"))
    subject.fill("Second")
    save.click()
    page.wait_for_url(f"**{url}?language=en")
    page.get_by_role("link", name="Restore").click()
    page.locator("dialog").get_by_role("button", name="Restore").click()
    expect(page.locator("#toasts")).to_contain_text("Version 1 is in force again, as version 3.")


def test_the_preview_is_as_wide_and_dark_as_asked(editor: Window) -> None:
    page = editor.open(f"/staff/email-templates/{make.shipped_template().id}/edit")
    frame = page.locator(".preview-frame")
    page.get_by_label("Phone").check()
    expect(frame).to_have_css("width", "375px")
    page.get_by_label("Dark").check()
    expect(frame).to_have_attribute("src", re.compile("scheme=dark"))
