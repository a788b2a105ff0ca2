"""The page of site settings."""

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid, Stale
from portal.settings import services
from portal.settings.forms import SettingsForm
from portal.settings.queries import ground, site
from portal.settings.status import availability
from portal.web.guard import actor, needs, staff_blueprint
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = staff_blueprint("settings", __name__, "/settings")


@bp.route("/", methods=["GET", "POST"])
@needs("manage_settings", proven=True)
@refills_form
def edit() -> ResponseReturnValue:
    """Everything that owners set, and what visitors can do under it now."""
    form, differences = SettingsForm(obj=site()), []
    if form.validate_on_submit():
        try:
            with transaction():
                services.update(form.values(), actor(), clock.now())
            return see_other(url_for("settings.edit"), _("Saved."))
        except Invalid as refused:
            form.show(refused)
        except Stale:
            differences = form.differences(site())
            form.version.data = str(site().version)
            if not differences:  # they saved the very same
                return see_other(url_for("settings.edit"), _("Saved."))
    stands_on = ground()
    return render(
        "settings/edit.html",
        status=409 if differences else form.refusal() if form.errors else 200,
        form=form,
        differences=differences,
        ground=stands_on,
        available=availability(site(), stands_on),
    )
