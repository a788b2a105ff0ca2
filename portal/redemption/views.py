"""The pages of redeeming: home, the typed code, the mailed link, the review, accepting, the welcome."""

from flask import Blueprint, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.identity.guard import contact_required, current_contact, how_signed_in, signed_in
from portal.invitations import links
from portal.invitations import queries as invitations
from portal.invitations.messages import expires_text
from portal.invitations.models import SINGLE
from portal.kernel import clock, codes
from portal.kernel.db import transaction
from portal.kernel.errors import NotFound
from portal.redemption import pending, queries, services
from portal.redemption.arriving import accepted, was_shown
from portal.redemption.forms import CodeForm, SignUpForm, StrangerSignUpForm
from portal.redemption.guard import check_codes, code_failed, registers_openly, while_redeeming_is_on
from portal.redemption.pending import Intent
from portal.redemption.services import Refused
from portal.redemption.status import OVER, Reason, Standing
from portal.settings.queries import site
from portal.web.htmx import render, see_other
from portal.web.security import local_target, refills_form

bp = Blueprint("redemption", __name__)


@bp.get("/")
def home() -> ResponseReturnValue:
    """What this site is, and the ways in."""
    pending.mark_reviewed(session, False)
    form = CodeForm(formdata=None) if site().redeems else None
    return render("redemption/home.html", form=form, open_registration=registers_openly())


@bp.route("/redeem", methods=["GET", "POST"])
@while_redeeming_is_on
@refills_form
def code() -> ResponseReturnValue:
    """The form for a code; a code in the address goes into the session at once."""
    if request.method == "GET" and request.args.get("code"):
        return _typed(request.args["code"], None)
    form = CodeForm()
    if form.validate_on_submit():
        return _typed(form.code.data, None)
    return _code_page(form, form.refusal() if form.errors else 200)


@bp.get("/register")
@while_redeeming_is_on
def register() -> ResponseReturnValue:
    """The reference product's link: a code, and where to go afterwards."""
    typed = request.args.get("invitation")
    if not typed:
        return see_other(url_for("sign_in.sign_up" if registers_openly() else "redemption.code"))
    return _typed(typed, local_target(request.args.get("returnurl"), "") or None)


def _typed(text: str, returnurl: str | None) -> ResponseReturnValue:
    """Look a code up: into the session with it, or one and the same answer for every code that does not work."""
    check_codes()
    normalised = codes.normalise(text)
    if len(normalised) < codes.SHORTEST:
        form = CodeForm(data={"code": ""})
        form.code.errors = [_("This does not look like an invitation code. It is in your invitation e-mail.")]
        return _code_page(form, 422)
    intent = _intent_of(normalised)
    if intent is None:
        code_failed()
        form = CodeForm(formdata=None)
        form.code.errors = [_("This code does not work. Please compare it with the one in your invitation e-mail.")]
        return _code_page(form, 404)
    pending.remember(session, Intent(**{**vars(intent), "returnurl": returnurl}))
    return see_other(url_for("redemption.review"))


def _intent_of(normalised: str) -> Intent | None:
    """The intent that a working code gives; the same queries whether there is such a code or not."""
    invitation = invitations.by_code(normalised)
    meant, person = queries.meant_by_code(invitation), current_contact()
    again = person is not None and invitations.redemption(invitation.id if invitation else 0, person.id) is not None
    if invitation is None or (queries.over(invitation, meant, clock.now()) and not again):
        return None
    return Intent(pending.CODE, invitation.id, meant.id if meant else None, pending.of_code(invitation.code_lookup))


def _code_page(form: CodeForm, status: int) -> Response:
    return render("redemption/code.html", form=form, status=status)


@bp.get("/i/<token>")
@while_redeeming_is_on
def link(token: str) -> ResponseReturnValue:
    """A mailed link: into the session with it. Nothing else changes, for mail scanners open links too."""
    found = links.resolve(token)
    if found is None:
        raise NotFound(
            _("This link is incomplete, or a newer one took its place. Please open the newest e-mail you have.")
        )
    fingerprint = pending.of_link(found.invitation.link_version, found.contact.email1_key)
    pending.remember(session, Intent(pending.LINK, found.invitation.id, found.contact.id, fingerprint))
    return see_other(url_for("redemption.review"))


@bp.get("/redeem/review")
@while_redeeming_is_on
def review() -> ResponseReturnValue:
    """Who invites, to what, as whom, until when; and the choices. Changes nothing."""
    intent = pending.recall(session)
    if intent is None:
        return see_other(url_for("redemption.code"))
    opened, person = queries.opened(intent, clock.now()), current_contact()
    if opened is None:
        return refusal(Reason.CHANGED)
    offer = queries.offer(opened, person)
    if opened.over is not None and offer.standing is not Standing.ALREADY:
        return refusal(opened.over)
    pending.mark_reviewed(session, True)
    return _review_page(offer, 200)


def _review_page(offer: queries.Offer, status: int) -> Response:
    form = sign_up_form(offer.opened, fresh=True)
    return render("redemption/review.html", status=status, offer=offer, form=form)


def sign_up_form(opened: queries.Opened | None, *, fresh: bool = False) -> SignUpForm:
    """The form for a new sign-in: an invited contact is known, a stranger gives a name and an address."""
    kind = StrangerSignUpForm if opened is None or opened.meant is None else SignUpForm
    return kind(formdata=None) if fresh else kind()


@bp.post("/redeem/accept")
@while_redeeming_is_on
def accept() -> ResponseReturnValue:
    """Redeem as the contact who is signed in."""
    intent, person = pending.recall(session), current_contact()
    if intent is None:
        return see_other(url_for("redemption.welcome" if person else "redemption.code"))
    if person is None:
        return see_other(url_for("redemption.review"))
    if not was_shown(intent):
        toast = _("You have opened another invitation since. Please look at this one first.")
        return see_other(url_for("redemption.review"), toast, "info")
    person_id = person.id
    try:
        with transaction():
            services.accept(intent, person_id, by=how_signed_in(), ip=request.remote_addr, now=clock.now())
    except Refused as refused:
        return refusal(refused.reason)
    return accepted(intent)


def refusal(reason: Reason) -> Response:
    """Why the pending invitation cannot be accepted, as an answer of its own status.

    Where it lies with the person, the review page says who may and what to do. Where the invitation is over, who
    came by the link hears the truth, who typed a code only that it does not work any more.
    """
    intent = pending.recall(session)
    opened = queries.opened(intent, clock.now())
    if opened is not None and reason not in OVER:
        return _review_page(queries.offer(opened, current_contact()), 409)
    by_link = opened is not None and opened.intent.proof == pending.LINK
    return render(
        "redemption/refused.html",
        status=410,
        reason=reason.value if by_link or reason is Reason.CHANGED else "",
        single=opened is not None and opened.invitation.type == SINGLE,
        inviter=queries.inviter(opened.invitation) if opened and by_link else "",
        until=expires_text(opened.invitation, site().zone) if opened else "",
    )


@bp.post("/redeem/forget")
def forget() -> ResponseReturnValue:
    """*This is not me*: drop the intent; the invitation stays as it is."""
    pending.forget(session)
    return see_other(url_for("redemption.home"), _("All right. The invitation stays as it is."))


@bp.get("/welcome")
@contact_required
def welcome() -> ResponseReturnValue:
    """What the contact was granted last."""
    redemption = queries.latest(signed_in().id)
    if redemption is None:
        return see_other(url_for("identity.profile"))
    account, roles = queries.given(redemption)
    return render("redemption/welcome.html", contact=signed_in(), account=account, roles=roles)
