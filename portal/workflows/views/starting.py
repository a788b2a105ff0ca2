"""Running a workflow by hand: on the record of a page, on the ticked rows of a list."""

from collections.abc import Sequence

from flask import request, session, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from portal.contacts import queries as contacts
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import NotFound
from portal.kernel.secrets_ import new_public_id
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.forms import choices
from portal.web.guard import needs
from portal.web.htmx import render, see_other
from portal.workflows import queries, services, steps
from portal.workflows.forms import RunForm
from portal.workflows.views import words
from portal.workflows.views.blueprint import bp

MOST, NAMED, REMEMBERED = 200, 10, 20
USED = "workflow_runs_started"


@bp.route("/workflows/run", methods=["GET", "POST"])
@needs(Permission.CREATE)
def start() -> Response:
    """The dialog that asks which workflow; with `confirm` it runs on each record. `entity` is contact or invitation."""
    entity = steps.INVITATION if request.values.get("entity") == steps.INVITATION else steps.CONTACT
    ids = _ids()
    if not ids or len(ids) > MOST:
        wrong = _("Tick at least one row.") if not ids else _("Tick at most %(most)s rows at once.", most=MOST)
        return render("workflows/start_refused.html", status=422, message=wrong, back=_list(entity))
    names = _names(entity, ids)
    if not names:
        raise NotFound
    form = RunForm(formdata=request.form if request.form.get("confirm") == "1" else None)
    offered = queries.runnable(entity)
    form.workflow.choices = choices([(str(one.id), one.name) for one in offered])
    confirmed = request.method == "POST" and request.form.get("confirm") == "1"
    if confirmed and form.validate():
        return _start(entity, list(names), form.workflow.number)
    if len(offered) == 1 and not confirmed:
        form.workflow.data = str(offered[0].id)
    return render(
        "workflows/start.html",
        status=form.refusal() if confirmed else 200,
        form=form,
        entity=entity,
        ids=list(names),
        names=list(names.values())[:NAMED],
        back=_back(entity, list(names)),
        key=new_public_id().hex(),
    )


def _start(entity: str, ids: Sequence[int], workflow_id: int) -> Response:
    key = request.form.get("key", "")[:40]
    used: list[str] = session.get(USED, [])
    if key and key in used:
        return see_other(_back(entity, ids), _("The workflow was started already; nothing is run twice."), "info")
    by, now = actor(), clock.now()
    with transaction():
        for one in ids:
            about = {"contact_id": one} if entity == steps.CONTACT else {"invitation_id": one}
            services.start_by_hand(workflow_id, **about, by=by, now=now)
    session[USED] = [*used, key][-REMEMBERED:]
    name = queries.get(workflow_id).name
    told = ngettext(
        "“%(name)s” runs now; its result will show on the timeline.",
        "“%(name)s” runs on %(num)s records now; the results will show on their timelines.",
        len(ids),
        name=name,
    )
    return see_other(_back(entity, ids), told)


def _ids() -> list[int]:
    typed = request.values.getlist("ids")
    return list(dict.fromkeys(int(v) for v in typed if v.isascii() and v.isdigit() and len(v) <= 9))


def _names(entity: str, ids: Sequence[int]) -> dict[int, str]:
    """The records that exist, each with its name."""
    if entity == steps.CONTACT:
        return {option.value: option.label for option in contacts.by_ids(ids)}
    return words.invitation_names(ids)


def _list(entity: str) -> str:
    return url_for("contacts.index" if entity == steps.CONTACT else "invitations.index")


def _back(entity: str, ids: Sequence[int]) -> str:
    if len(ids) != 1:
        return _list(entity)
    if entity == steps.CONTACT:
        return url_for("contacts.record", contact_id=ids[0])
    return url_for("invitations.record", invitation_id=ids[0])
