"""Staff are told by mail that a way to sign in changed."""

from typing import Any

import pytest

from portal.jobs import runner
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail import outbox, templates
from portal.mail.models import Message
from portal.mail.outbox import Cancelled
from portal.staff import services
from portal.staff.models import StaffMember
from tests.support.make import PASSWORD

KINDS = {
    "password-changed": "password was changed",
    "password-set": "set-up link",
    "second-factor-on": "turned on",
    "second-factor-off": "turned off",
    "recovery-codes": "new recovery codes",
    "recovery-code-used": "recovery code was used",
    "identity-linked": "a sign-in at Acme was linked",
    "identity-removed": "the sign-in at Acme was removed",
    "passkey-added": "a passkey was added: Acme",
    "passkey-removed": "a passkey was removed: Acme",
}


def do_jobs() -> None:
    while runner.turn("worker", lambda: False):
        pass


def mails() -> list[Message]:
    return list(db.session.scalars(db.select(Message).order_by(Message.id)))


@pytest.mark.parametrize(("what", "said"), KINDS.items())
def test_the_mail_says_what_changed_and_holds_no_link(persona: Any, what: str, said: str) -> None:
    number = persona("manager").id
    with transaction():
        services.notify(number, what, clock.now(), name="Acme")
    assert mails() == []
    do_jobs()
    do_jobs()
    message = mails()[0]
    assert len(mails()) == 1
    prepared = outbox.prepares[message.kind](message, clock.now())
    assert prepared.to == "manager@staff.example"
    made = templates.render(prepared.template, prepared.values, "en")
    for part in (made.html, made.text):
        assert said in part
        assert "It was not you?" in part
    assert "href" not in made.html


def test_a_changed_password_is_told(sign_in_as: Any, persona: Any) -> None:
    new = "seven quiet rivers under moonlight"
    browser = sign_in_as("manager")
    typed = {"current": PASSWORD, "password": new, "confirm": new}
    assert browser.post_form("/staff/profile/password", typed, page="/staff/profile").status_code == 303
    do_jobs()
    assert [(m.kind, m.staff_id, m.detail["what"]) for m in mails()] == [
        ("staff-sign-in-changed", persona("manager").id, "password-changed")
    ]


def test_whoever_works_here_no_more_is_told_nothing(persona: Any) -> None:
    number = persona("manager").id
    with transaction():
        services.notify(number, "password-changed", clock.now())
    do_jobs()
    with transaction():
        db.session.get_one(StaffMember, number).active = False
    with pytest.raises(Cancelled):
        outbox.prepares["staff-sign-in-changed"](mails()[0], clock.now())
