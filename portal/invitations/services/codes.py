"""An invitation's code: made or chosen once, shown on demand, found again."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from flask_babel import gettext as _
from sqlalchemy.dialects import postgresql, sqlite

from portal.invitations import queries
from portal.invitations.models import Invitation, InvitationCode
from portal.invitations.services.checking import beyond
from portal.journal.services import Record, record
from portal.kernel import codes
from portal.kernel.db import db
from portal.kernel.errors import Forbidden, Invalid
from portal.roles.models import WebRole
from portal.settings.queries import absolute_url, ring
from portal.staff.permissions import Permission, StaffActor

TRIES = 5


class Code(NamedTuple):
    """A code that is now this invitation's alone."""

    text: str
    lookup: str
    hint: str


def take(typed: str, now: datetime) -> Code:
    """A code that no invitation ever had: the typed one, or a generated one if nothing was typed. Raises Invalid."""
    if not typed.strip():
        return _generated(now)
    normalised = codes.normalise(typed)
    if not normalised:
        raise Invalid({"code": _("Use letters A to Z and digits only, at most %(most)s of them.", most=codes.LONGEST)})
    if codes.too_weak(normalised):
        raise Invalid(
            {
                "code": _(
                    "This code is too easy to guess. Use %(short)s letters and digits, %(distinct)s of them different.",
                    short=codes.SHORTEST,
                    distinct=codes.FEWEST_DISTINCT,
                )
            }
        )
    if not _claim(normalised, now):
        raise Invalid({"code": _("This code is or was in use. Every code is used only once; choose another.")})
    return _code(typed.strip(), normalised)


def replace(invitation: Invitation, typed: str, now: datetime) -> Code | None:
    """The code that takes the place of the present one; None when it stays. Raises Invalid."""
    kept = not typed.strip() or invitation.code_lookup in ring().lookups(codes.normalise(typed))
    return None if kept else take(typed, now)


def seal(invitation_id: int, code: Code) -> str:
    """The code as it is stored."""
    return ring().seal(code.text, queries.seal_of(invitation_id))


def weak(typed: str) -> bool:
    """Whether a typed code is accepted, but deserves a warning."""
    return bool(typed.strip()) and codes.guessable(codes.normalise(typed))


def show_code(invitation_id: int, by: StaffActor, now: datetime) -> str:
    """The code, for a person who may see it; the journal says who looked. Raises NotFound or Forbidden."""
    invitation = _open_for(invitation_id, by)
    record("invitation.code-shown", Record("invitation", invitation.id, invitation.name), by=by, now=now)
    return queries.code(invitation)


def copy_link(invitation_id: int, by: StaffActor, now: datetime) -> str:
    """A link that carries the code, to be handed on; the journal says who took it. Raises NotFound or Forbidden."""
    invitation = _open_for(invitation_id, by)
    record("invitation.link-copied", Record("invitation", invitation.id, invitation.name), by=by, now=now)
    return absolute_url(f"/redeem?code={quote(queries.code(invitation))}")


def find_by_code(typed: str, by: StaffActor, now: datetime) -> Invitation:
    """The invitation with exactly this code. Raises Invalid or Forbidden."""
    if not by.may(Permission.SHOW_CODES):
        raise Forbidden
    normalised = codes.normalise(typed)
    invitation = queries.by_code(normalised) if normalised else None
    if invitation is None:
        raise Invalid({"code": _("No invitation has this code.")})
    record("invitation.found-by-code", Record("invitation", invitation.id, invitation.name), by=by, now=now)
    return invitation


def sees_code(roles: Iterable[WebRole], by: StaffActor) -> bool:
    """Whether somebody may see the code of an invitation with these web roles: who knows it can redeem, so it is
    shown to nobody who may not give what redeeming gives."""
    return by.may(Permission.SHOW_CODES) and beyond(by.role, roles) is None


def _open_for(invitation_id: int, by: StaffActor) -> Invitation:
    if not by.may(Permission.SHOW_CODES):
        raise Forbidden
    invitation = queries.get(invitation_id)
    name = beyond(by.role, queries.roles(invitation_id))
    if name is not None:
        raise Forbidden(_("Its code gives the web role %(name)s, which you may not give. Ask an owner.", name=name))
    return invitation


def _generated(now: datetime) -> Code:
    for _try in range(TRIES):
        text = codes.generate()
        normalised = codes.normalise(text)
        if _claim(normalised, now):
            return _code(text, normalised)
    raise RuntimeError("no free code found")


def _claim(normalised: str, now: datetime) -> bool:
    """Take a code for good; False when it was taken before, or is being taken by somebody else right now."""
    if queries.code_taken(normalised):
        return False
    dialect: Any = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    claim = dialect.insert(InvitationCode).values(lookup=ring().lookup(normalised), created_at=now)
    claim = claim.on_conflict_do_nothing(index_elements=[InvitationCode.lookup]).returning(InvitationCode.lookup)
    return db.session.scalar(claim) is not None


def _code(text: str, normalised: str) -> Code:
    return Code(text, ring().lookup(normalised), normalised[-2:])
