"""How a staff member hears of what happens to their invitations."""

from flask import url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.invitations import services
from portal.invitations.forms import NoticesForm
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import needs, staff_blueprint
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = staff_blueprint("notices", __name__, "/profile")


@bp.post("/notices")
@needs(Permission.SEND)
@refills_form
def choose() -> Response:
    """At once, once a day, or not at all."""
    form = NoticesForm()
    if form.validate_on_submit():
        with transaction():
            services.choose_notices(form.notices.data, actor(), clock.now())
        return see_other(url_for("staff.profile"), _("Saved."))
    return render("invitations/notices.html", status=form.refusal(), form=form)
