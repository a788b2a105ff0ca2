"""What staff do with messages that have not arrived."""

from typing import Any

from flask import request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.exceptions import abort
from werkzeug.wrappers import Response

from portal.contacts import queries as contacts
from portal.contacts.services import SameAddress
from portal.kernel import clock, paging
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid, NotFound, Stale
from portal.mail import acting, queries, states, words
from portal.mail.forms import AddressForm
from portal.mail.views.blueprint import bp, filters, query_of
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import may, needs
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

MOST = 200


@bp.post("/<int:message_id>/try-now")
@needs(Permission.SEND)
def try_now(message_id: int) -> Response:
    """Not at its next time, but now."""
    with transaction():
        acting.try_now(message_id, actor(), clock.now())
    return see_other(
        url_for(".record", message_id=message_id), _("It is tried at once. Reload to see what came of it.")
    )


@bp.route("/<int:message_id>/cancel", methods=["GET", "POST"])
@needs(Permission.SEND)
def cancel(message_id: int) -> Response:
    """Not at all."""
    message = queries.get(message_id)
    if request.method != "POST":
        contact = contacts.find(message.contact_id) if message.contact_id else None
        return render("outbox/cancel.html", message=message, contact=contact, kinds=words.kinds())
    with transaction():
        acting.cancel(message_id, actor(), clock.now())
    return see_other(url_for(".record", message_id=message_id), _("Cancelled. It will not be sent."))


@bp.route("/<int:message_id>/fix-address", methods=["GET", "POST"])
@needs(Permission.MANAGE_CONTACTS)
@refills_form
def fix_address(message_id: int) -> Response:
    """Correct the contact's address, and send again what is still due."""
    if not may(Permission.SEND):
        abort(403)
    message = queries.get(message_id)
    if message.contact_id is None:
        raise NotFound
    contact = contacts.get(message.contact_id)
    form = AddressForm(data={"email1": contact.email1, "version": contact.version})
    shown: dict[str, Any] = {"message": message, "contact": contact, "same": (), "differences": ()}
    if form.validate_on_submit():
        try:
            with transaction():
                again = acting.fix_address(
                    message_id,
                    form.email1.data,
                    form.version.number,
                    actor(),
                    clock.now(),
                    create_anyway=bool(form.create_anyway.data),
                )
        except Invalid as refused:
            form.show(refused)
            shown["same"] = refused.contacts if isinstance(refused, SameAddress) else ()
        except Stale:
            contact = contacts.get(contact.id)
            form.version.data = str(contact.version)
            shown["differences"] = [(form.email1.label.text, contact.email1 or "", form.email1.data)]
            return render("outbox/fix_address.html", status=409, form=form, **shown)
        else:
            return see_other(url_for(".record", message_id=message_id), *_told(again))
    status = form.refusal() if form.is_submitted() else 200
    return render("outbox/fix_address.html", status=status, form=form, **shown)


@bp.post("/retry")
@needs(Permission.SEND)
def retry() -> Response:
    """The failed ones among the ticked rows, or all that match: first the dialog that says what will happen."""
    wanted = filters()
    query: dict[str, Any] = query_of(wanted)
    everything = request.form.get("all") == "1"
    typed = [text for text in request.form.getlist("ids") if text.isascii() and text.isdigit() and len(text) <= 9]
    ids = None if everything else list(dict.fromkeys(map(int, typed)))[:MOST]
    if request.form.get("confirm") != "1":
        which = queries.failed_again(ids, wanted)
        count = paging.capped(which)
        return render("outbox/retry.html", count=count, counted=paging.COUNTED, ids=ids, query=query, text=wanted.text)
    with transaction():
        tried = acting.try_many(ids, wanted, actor(), clock.now())
    if not tried:
        return see_other(url_for(".index", **query), _("None of these has failed."), "info")
    toast = ngettext("%(num)s message is tried again.", "%(num)s messages are tried again.", tried)
    return see_other(url_for(".index", state="queued"), toast)


@bp.post("/test")
@needs(Permission.MANAGE_SETTINGS)
def test() -> Response:
    """A message to oneself, by the same way as every other."""
    with transaction():
        message_id = acting.send_test(actor(), clock.now()).id
    toast = _("The test message is on its way to you. This page shows what the mail server says; reload it.")
    return see_other(url_for(".record", message_id=message_id), toast)


@bp.post("/ask-again")
@needs(Permission.MANAGE_SETTINGS)
def ask_again() -> Response:
    """Ask the mail server at once whether it takes us now."""
    with transaction():
        states.try_again_now(clock.now())
    return see_other(url_for(".index"), _("The mail server is asked at once. Reload to see what it says."))


def _told(again: acting.Again) -> tuple[str, str]:
    said = [_("The address is saved.")]
    if again.written:
        said.append(ngettext("%(num)s message is sent again.", "%(num)s messages are sent again.", again.written))
    if again.refused:
        said.append(_("Not sent again: %(why)s", why=" ".join(dict.fromkeys(again.refused))))
    if not again.written and not again.refused:
        said.append(_("Nothing is left to be sent again."))
    return " ".join(said), "warning" if again.refused else "success"
