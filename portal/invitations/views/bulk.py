"""The same act on the ticked rows of a page: a dialog first, then the deed."""

from collections.abc import Callable

from flask import request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.exceptions import abort
from werkzeug.wrappers import Response

from portal.invitations import queries, services
from portal.invitations.forms import ExtendForm
from portal.invitations.queries import lists
from portal.invitations.status import status_of
from portal.invitations.views.blueprint import bp
from portal.invitations.views.remind import waits_until
from portal.invitations.views.send import posted_key
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid
from portal.settings.queries import site
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import may, needs
from portal.web.htmx import render, see_other

MOST = 200
NEEDS = {
    "send": Permission.SEND,
    "remind": Permission.SEND,
    "extend": Permission.CREATE,
    "deactivate": Permission.CREATE,
    "activate": Permission.CREATE,
}


@bp.post("/bulk")
@needs(Permission.VIEW)
def bulk() -> Response:
    """Without `confirm` the dialog that says what will happen, with it the deed."""
    action = request.form.get("action", "")
    if action not in NEEDS:
        return _refused(_("Choose what to do with the ticked invitations."))
    if not may(NEEDS[action]):
        abort(403)
    ids = _ids()
    if not ids:
        return _refused(_("Tick at least one invitation."))
    if len(ids) > MOST:
        return _refused(_("Tick at most %(most)s invitations at once.", most=MOST))
    if request.form.get("confirm") != "1":
        return _extend_dialog(ids) if action == "extend" else _dialog(action, ids)
    if action == "extend":
        return _extend(ids)
    with transaction():
        outcome = _deeds()[action](ids)
    toast, category = _told(action, outcome)
    return see_other(_back(), toast, category)


def _ids() -> list[int]:
    typed = request.form.getlist("ids")
    return list(dict.fromkeys(int(v) for v in typed if v.isascii() and v.isdigit() and len(v) <= 9))


def _deeds() -> dict[str, Callable[[list[int]], services.Outcome]]:
    by, now = actor(), clock.now()
    return {
        "send": lambda ids: services.send_many(ids, key=posted_key(), by=by, now=now),
        "remind": lambda ids: services.remind_many(ids, key=posted_key(), by=by, now=now),
        "deactivate": lambda ids: services.deactivate_many(ids, by, now),
        "activate": lambda ids: services.activate_many(ids, by, now),
    }


def _dialog(action: str, ids: list[int]) -> Response:
    invitations = queries.by_ids(ids)
    planning = {"send": services.plans, "remind": services.reminder_plans}
    sends, now = action in planning, clock.now()
    plans = planning[action](invitations, actor(), now) if sends else []
    changed = [i for i in invitations if i.deactivated_at is None]
    if action == "activate":
        changed = services.may_give([i for i in invitations if i not in changed], actor())
    return render(
        f"invitations/bulk_{'send' if sends else 'change'}.html",
        action=action,
        plans=plans,
        changed=changed,
        unchanged=[i for i in invitations if i not in changed],
        statuses={invitation.id: status_of(invitation) for invitation in invitations},
        messages=sum(len(plan.recipients) for plan in plans if not plan.refused),
        send_key=services.new_send_key(),
        goes_at=waits_until(now) if action == "remind" else None,
        view=_view(),
    )


def _extend(ids: list[int]) -> Response:
    form = ExtendForm()
    if form.validate():
        try:
            with transaction():
                outcome = services.extend_many(ids, form.expires_on.data, actor(), clock.now())
        except Invalid as refused:
            form.show(refused)
        else:
            if not outcome.done:
                return see_other(_back(), _("Nothing had to be changed."), "info")
            toast = ngettext("%(num)s invitation extended.", "%(num)s invitations extended.", outcome.done)
            return see_other(_back(), toast)
    return _extend_dialog(ids, form, form.refusal())


def _extend_dialog(ids: list[int], form: ExtendForm | None = None, status: int = 200) -> Response:
    invitations = queries.by_ids(ids)
    changed = [one for one in services.may_give(invitations, actor()) if one.completed_at is None]
    return render(
        "invitations/bulk_extend.html",
        status=status,
        form=form or ExtendForm(formdata=None, data={"expires_on": services.usual_end(clock.now())}),
        action="extend",
        changed=changed,
        unchanged=[one for one in invitations if one not in changed],
        statuses={invitation.id: status_of(invitation) for invitation in invitations},
        send_key="",
        view=_view(),
        zone=site().timezone,
    )


def _refused(message: str) -> Response:
    return render("invitations/bulk_refused.html", status=422, message=message, view=_view())


def _view() -> str:
    asked = request.form.get("view", "")
    return asked if asked in lists.VIEWS else lists.DEFAULT_VIEW


def _back() -> str:
    return url_for(".index", view=_view())


def _told(action: str, outcome: services.Outcome) -> tuple[str, str]:
    if outcome.before:
        return _("These e-mails were queued already; nothing is sent twice."), "info"
    if action in ("send", "remind"):
        return _told_sent(outcome)
    if not outcome.done:
        return _("Nothing had to be changed."), "info"
    if action == "deactivate":
        return ngettext("%(num)s invitation deactivated.", "%(num)s invitations deactivated.", outcome.done), "success"
    return ngettext("%(num)s invitation activated.", "%(num)s invitations activated.", outcome.done), "success"


def _told_sent(outcome: services.Outcome) -> tuple[str, str]:
    if outcome.later and not outcome.messages:
        return _("The e-mails are being written. The timelines say when they are queued."), "success"
    if not outcome.messages:
        return _("Nothing was sent: none of these has anybody who can get a mail now."), "warning"
    said = [ngettext("%(num)s e-mail is on its way.", "%(num)s e-mails are on their way.", outcome.messages)]
    if outcome.skipped:
        said.append(ngettext("%(num)s contact was skipped.", "%(num)s contacts were skipped.", outcome.skipped))
    if outcome.refused:
        said.append(ngettext("%(num)s invitation was not sent.", "%(num)s invitations were not sent.", outcome.refused))
    return " ".join(said), "success"
