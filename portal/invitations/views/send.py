"""The dialog that sends an invitation."""

from flask import request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from portal.invitations import queries, services
from portal.invitations.services.sending import MOST_NAMED
from portal.invitations.views.blueprint import bp
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.names import visible
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import needs
from portal.web.htmx import render, see_other

LONGEST_KEY = 40


@bp.route("/<int:invitation_id>/send", methods=["GET", "POST"])
@needs(Permission.SEND)
def send(invitation_id: int) -> Response:
    """Who gets a mail and who does not; then queue the mails."""
    if request.method != "POST":
        intended = services.plan(queries.get(invitation_id), actor(), clock.now())
        key = services.new_send_key()
        return render("invitations/send.html", plan=intended, send_key=key, named=MOST_NAMED)
    with transaction():
        sent = services.send(invitation_id, key=posted_key(), by=actor(), now=clock.now())
    category = "success" if sent.messages or sent.before or sent.later else "warning"
    return see_other(url_for(".record", invitation_id=invitation_id), told(sent), category)


def posted_key() -> str:
    """The dialog's key; a post without one counts for itself."""
    given = visible(request.form.get("send_key", ""))[:LONGEST_KEY]
    return given if given.isascii() and given.replace("-", "").replace("_", "").isalnum() else services.new_send_key()


def told(sent: services.Sent) -> str:
    """What sending did, for the toast."""
    if sent.before:
        return _("These e-mails were queued already; nothing is sent twice.")
    if sent.later:
        return _("The e-mails are being written. The timeline says when they are queued, and who was skipped.")
    skipped = ", ".join(f"{one.contact.name} {one.why}" for one in sent.skipped[:MOST_NAMED])
    more = len(sent.skipped) - MOST_NAMED
    if more > 0:
        skipped = _("%(names)s and %(more)s more", names=skipped, more=more)
    if not sent.messages:
        why = skipped or _("nobody is invited by name")
        return _("Nothing was sent: %(why)s.", why=why)
    queued = ngettext("%(num)s e-mail is on its way.", "%(num)s e-mails are on their way.", sent.messages)
    return f"{queued} {_('Skipped: %(who)s.', who=skipped)}" if skipped else queued
