"""What opens a door is masked however a template turns it."""

import pytest
from flask import Flask

from portal.mail import masking, templates
from portal.mail.letters import Body
from portal.mail.texts import Source
from tests.support import make

TOKEN = "aB3-" + "Qx7_zRt9-" * 4 + "kLm"
CODE = "7K3M-9QXR-T2VD-8HNC"

pytestmark = pytest.mark.sqlite_only


@pytest.mark.parametrize(
    "turned",
    [
        "{{ link }}",
        "{{ link | truncate: 60, '' }}",
        "{{ link | truncate: 40, ' ' }}",
        "{{ link | upcase }}",
        "{{ link | capitalize }}",
        "{{ link | url_encode }}",
        "{{ code | downcase }}",
        "{{ code | truncate: 18, '' }}",
        "{{ code | url_encode }}",
    ],
)
def test_no_turn_shows_a_secret(app: Flask, turned: str) -> None:
    assert len(TOKEN) == 43
    values = {"link": f"http://localhost/i/{TOKEN}", "code": CODE}
    made = templates.made(Source("invitation", "en", f"x {turned}", f"<p>{turned}</p>", turned), values)
    body = Body(*made[:3], list(made.links), list(made.secrets), kept=False)
    shown, _whole = masking.shown_to(make.make_staff("owner"), body)
    for text in (shown.subject, shown.html, shown.text):
        assert TOKEN[:12].lower() not in text.lower()
        assert CODE[:12].lower() not in text.lower()
        assert masking.MASK in text


def test_a_code_by_mail_is_masked_in_an_address_too(app: Flask) -> None:
    body = Body("482+913", "482%C2%A0913", "482\xa0913", [], ["482\xa0913"], kept=False)
    member = make.make_staff("owner")
    shown, _whole = masking.shown_to(member, body)
    assert (shown.html, shown.text) == (masking.MASK, masking.MASK)
    assert masking.shown_to(member, body._replace(secrets=["482 913"]))[0].subject == masking.MASK
