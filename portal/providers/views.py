"""The pages of sign-in providers."""

from flask import abort, request, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.journal import queries as journal
from portal.journal.fields import field
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid, Stale
from portal.providers import presets, queries, services
from portal.providers.forms import EditProviderForm, NewProviderForm, ProviderForm
from portal.providers.models import FROM_FILE, Provider
from portal.providers.presets import Preset
from portal.settings.queries import absolute_url, site
from portal.web.guard import actor, needs, staff_blueprint
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = staff_blueprint("providers", __name__, "/settings/providers")
FOUND = "provider_found"


@bp.get("/")
@needs("manage_settings")
def index() -> Response:
    """All providers, in the order in which they are offered."""
    return render(
        "providers/index.html",
        providers=queries.all_of_them(),
        from_file=FROM_FILE,
        external_sign_in=site().external_sign_in,
    )


@bp.route("/new", methods=["GET", "POST"])
@needs("manage_settings", proven=True)
@refills_form
def new() -> Response:
    """Choose a preset, then set up a provider."""
    preset = presets.PRESETS.get(request.args.get("preset", ""))
    if preset is None:
        if request.method == "POST":
            abort(400)
        return render("providers/choose.html", presets=presets.PRESETS.values())
    form = NewProviderForm(preset)
    if form.validate_on_submit():
        try:
            with transaction():
                values, secret = form.values(), form.secret
                made = services.create(preset.name, form.slug.data, values, secret, by=actor(), now=clock.now())
                provider_id = made.id
        except Invalid as refused:
            form.show(refused)
        else:
            return see_other(url_for(".record", provider_id=provider_id), _("Provider added."))
    return _form(form, preset, status=form.refusal() if form.is_submitted() else 200)


@bp.get("/<int:provider_id>")
@needs("manage_settings")
def record(provider_id: int) -> Response:
    """One provider: what to register there, how it is set, whether it answers, its timeline."""
    provider = queries.with_id(provider_id)
    found = session.pop(FOUND, None) if FOUND in session else None
    return render(
        "providers/record.html",
        provider=provider,
        preset=presets.of(provider.preset),
        returns=_returns(provider.slug),
        held=services.held_by(provider_id),
        claims=[f"{field(name)}: {claim}" for name, claim in provider.claims.items()],
        found=found[1] if found and found[0] == provider_id else None,
        declared=provider.source == FROM_FILE,
        external_sign_in=site().external_sign_in,
        timeline=journal.timeline("provider", provider_id),
    )


@bp.route("/<int:provider_id>/edit", methods=["GET", "POST"])
@needs("manage_settings", proven=True)
@refills_form
def edit(provider_id: int) -> Response:
    """Change a provider."""
    provider = queries.with_id(provider_id)
    services.refuse_declared(provider)
    preset = presets.of(provider.preset)
    form = EditProviderForm(preset, provider)
    if form.validate_on_submit():
        values, secret, version = form.values(), form.secret, form.version.number
        try:
            with transaction():
                services.update(provider_id, values, secret, version, by=actor(), now=clock.now())
        except Invalid as refused:
            form.show(refused)
        except Stale:
            return _stale(form, preset, provider_id)
        else:
            return see_other(url_for(".record", provider_id=provider_id), _("Provider saved."))
    return _form(form, preset, provider=provider, status=form.refusal() if form.is_submitted() else 200)


@bp.post("/<int:provider_id>/test")
@needs("manage_settings")
def test(provider_id: int) -> Response:
    """Ask the provider over the network; the outcome stands on its page next."""
    found = services.try_out(queries.with_id(provider_id))
    session[FOUND] = [provider_id, [[one.good, one.text] for one in found]]
    return see_other(url_for(".record", provider_id=provider_id, _anchor="connection"))


@bp.post("/<int:provider_id>/switch")
@needs("manage_settings", proven=True)
def switch(provider_id: int) -> Response:
    """Switch a provider on or off."""
    on = request.form.get("on") == "1"
    with transaction():
        services.switch(provider_id, on, by=actor(), now=clock.now())
    return see_other(url_for(".record", provider_id=provider_id), _("Switched on.") if on else _("Switched off."))


@bp.post("/<int:provider_id>/move")
@needs("manage_settings")
def move(provider_id: int) -> Response:
    """Move a provider one place up or down."""
    with transaction():
        services.move(provider_id, request.form.get("up") == "1", by=actor(), now=clock.now())
    return see_other(url_for(".index"))


@bp.route("/<int:provider_id>/delete", methods=["GET", "POST"])
@needs("manage_settings", proven=True)
def delete(provider_id: int) -> Response:
    """The dialog, and deleting a provider that nobody signs in with."""
    provider = queries.with_id(provider_id)
    services.refuse_declared(provider)
    if request.method != "POST":
        held = services.held_by(provider_id)
        return render("providers/delete.html", provider=provider, held=held)
    with transaction():
        services.delete(provider_id, by=actor(), now=clock.now())
    return see_other(url_for(".index"), _("Provider deleted."))


def _returns(slug: str) -> dict[str, str]:
    """The two addresses to register at the provider: people come back to them."""
    return {
        "contacts": absolute_url(f"/sign-in/{slug}/callback"),
        "staff": absolute_url(f"/staff/sign-in/{slug}/callback"),
        "signed_out": absolute_url("/"),
    }


def _stale(form: EditProviderForm, preset: Preset, provider_id: int) -> Response:
    provider = queries.with_id(provider_id)
    form.version.data = str(provider.version)
    return _form(form, preset, provider=provider, differences=form.differences(provider), status=409)


def _form(
    form: ProviderForm, preset: Preset, status: int = 200, provider: Provider | None = None, differences: object = ()
) -> Response:
    form.ask_secret_again()
    return render(
        "providers/form.html",
        status=status,
        form=form,
        preset=preset,
        provider=provider,
        differences=differences,
        returns=_returns(provider.slug if provider else form.data.get("slug") or preset.name),
    )
