"""Declining an invitation, and asking for a new one where the link is over."""

from flask import Blueprint, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.identity.guard import current_contact
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.redemption import pending, services
from portal.redemption.arriving import was_shown
from portal.redemption.forms import WordsForm
from portal.redemption.guard import while_redeeming_is_on
from portal.redemption.pending import Intent
from portal.redemption.services import Refused
from portal.redemption.status import Reason
from portal.redemption.views import refusal
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

LONGEST_MARK = 64

bp = Blueprint("answering", __name__)


@bp.post("/redeem/decline")
@while_redeeming_is_on
@refills_form
def decline() -> ResponseReturnValue:
    """Say no. Who typed a code only drops it: a code does not tell who they are."""
    intent, person, form = pending.recall(session), current_contact(), WordsForm()
    if not form.validate_on_submit():
        return render("redemption/decline.html", status=form.refusal(), form=form, mark=_mark())
    if intent is not None and intent.proof == pending.CODE:
        pending.forget(session)
        return see_other(url_for("redemption.home"), _("All right. The invitation stays as it is."))
    if intent is None or not _meant(intent):
        return _look_again(intent)
    person_id, words = person.id if person else None, form.words.data
    try:
        with transaction():
            services.decline(intent, person_id, words, ip=request.remote_addr, now=clock.now())
    except Refused as refused:
        return refusal(refused.reason)
    pending.forget(session)
    toast = _("You have declined, and we have noted it. Should you change your mind, just open the link again.")
    return see_other(url_for("redemption.home"), toast)


@bp.post("/redeem/request")
@while_redeeming_is_on
@refills_form
def ask() -> ResponseReturnValue:
    """Ask for a new invitation; only who came by a genuine link can."""
    intent, form = pending.recall(session), WordsForm()
    if not form.validate_on_submit():
        return render("redemption/ask.html", status=form.refusal(), form=form, mark=_mark())
    if intent is None or intent.proof != pending.LINK or not _meant(intent):
        return _look_again(intent)
    words = form.words.data
    try:
        with transaction():
            services.ask(intent, words, ip=request.remote_addr, now=clock.now())
    except Refused as refused:
        # Nothing to ask for: the review page says how things stand, unless the link itself died meanwhile.
        return refusal(refused.reason) if refused.reason is Reason.CHANGED else see_other(url_for("redemption.review"))
    # What is over stays over, so the page that says so is where the answer stands, too.
    return see_other(url_for("redemption.review"))


def _mark() -> str:
    """The mark that the form came with, for the form that is shown again."""
    return request.form.get("seen", "")[:LONGEST_MARK]


def _meant(intent: Intent) -> bool:
    """Whether the page that sends this spoke of this invitation. Here the mark must be there: a mail scanner that
    opens the link, and presses what it finds without filling anything in, neither declines nor asks."""
    return _mark() == intent.mark


def _look_again(intent: Intent | None) -> Response:
    """The page sent this for an invitation that is not, or no longer, the one in this browser."""
    if intent is None:
        return see_other(url_for("redemption.code"))
    if was_shown(intent):
        return see_other(url_for("redemption.review"))
    toast = _("You have opened another invitation since. Please look at this one first.")
    return see_other(url_for("redemption.review"), toast, "info")
