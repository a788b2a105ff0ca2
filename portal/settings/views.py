"""The page of site settings."""

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid, Stale
from portal.settings import services
from portal.settings.forms import SettingsForm
from portal.settings.queries import site
from portal.web.guard import actor, needs, staff_blueprint
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = staff_blueprint("settings", __name__, "/settings")


@bp.route("/", methods=["GET", "POST"])
@needs("manage_settings")
@refills_form
def edit() -> ResponseReturnValue:
    """Name, time zone, default expiry and the registration switches."""
    form, stale = SettingsForm(obj=site()), False
    if form.validate_on_submit():
        try:
            with transaction():
                services.update(form.values(), form.version.number, actor(), clock.now())
            return see_other(url_for("settings.edit"), _("Saved."))
        except Invalid as refused:
            form.show(refused)
        except Stale:
            stale = True
            form.version.data = str(site().version)
    status = 409 if stale else form.refusal() if form.errors else 200
    return render("settings/edit.html", form=form, saved=site() if stale else None, status=status)
