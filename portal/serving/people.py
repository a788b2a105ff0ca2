"""Staff members from the command line: adding them, and letting them in again who are shut out."""

from flask_babel import gettext as _

from portal.kernel import addresses, clock, passwords
from portal.kernel.actor import Actor
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid
from portal.settings.queries import absolute_url, site
from portal.staff import queries, services
from portal.staff.services import StaffValues

OPERATOR = Actor("system", None, "portal staff")


def add(email: str, name: str, role: str, password: str | None) -> str:
    """Add them, and say what to do next. Raises Invalid."""
    values = StaffValues(email=_address(email), name=_name(name), role=role)
    if password is not None:
        words, least = (name, *email.split("@"), site().name), site().minimum_password_length
        fault = passwords.weakness(password, minimum=least, words=words)
        if fault:
            raise Invalid({"password": fault})
    hashed = passwords.hash_password(password) if password is not None else None
    with transaction():
        now = clock.now()
        member = services.add(values, by=OPERATOR, now=now, password_hash=hashed)
        path = None if hashed else services.create_set_up_link(member.id, by=OPERATOR, now=now)
    if path is None:
        return _("%(name)s can sign in at %(url)s", name=values.name, url=absolute_url("/staff/"))
    return _("%(name)s sets a password here, once, within 72 hours:", name=values.name) + f"\n{absolute_url(path)}"


def link(email: str, *, reset_second_factor: bool) -> str:
    """A new set-up link for somebody who works here: the way back in for an owner whom no other can help.

    It unlocks them when used; a lost second factor is removed only when asked for. Raises Invalid, Conflict.
    """
    found = queries.by_email(addresses.canonical(_address(email)))
    if found is None:
        raise Invalid({"email": _("Nobody here has this address.")})
    number, name, removes = found.id, found.name, reset_second_factor and found.has_second_factor
    with transaction():
        now = clock.now()
        path = services.create_set_up_link(number, by=OPERATOR, now=now)
        if removes:
            services.remove_second_factor(number, OPERATOR, now)
    return _("%(name)s sets a password here, once, within 72 hours:", name=name) + f"\n{absolute_url(path)}"


def _address(typed: str) -> str:
    try:
        return addresses.parse(typed)
    except addresses.BadAddress as fault:
        raise Invalid({"email": _("EMAIL must be one e-mail address, such as anna@example.org.")}) from fault


def _name(typed: str) -> str:
    name = typed.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise Invalid({"name": _("NAME must be 1 to 100 characters, without control characters.")})
    return name
