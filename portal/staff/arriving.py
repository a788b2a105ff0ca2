"""What happens once a staff member has proven who they are, whichever way they did: every way ends in `arrive`."""

from datetime import datetime, timedelta
from typing import NamedTuple

from flask import request, session, url_for
from flask_login import login_user
from werkzeug.wrappers import Response

from portal.kernel import clock
from portal.kernel.db import transaction
from portal.staff import queries, services
from portal.staff.guard import HOW
from portal.staff.guard import PASSKEY as BY_PASSKEY
from portal.web import sessions
from portal.web.htmx import see_other
from portal.web.proof import proven_now
from portal.web.security import local_target

BY_PASSWORD, _HALF = "password", "half"
HALF_LASTS, TRIES = timedelta(minutes=10), 5
LONGEST_TARGET = 1000


class Half(NamedTuple):
    """Somebody who proved the first factor and owes the second; nobody is signed in."""

    staff_id: int
    epoch: int
    by: str
    target: str
    toast: str | None
    at: str
    tries: int = 0


def arrive(whose: tuple[int, int], *, by: str, target: str | None, toast: str | None = None) -> Response:
    """Give this browser a session of this person's, in place of whatever it had, and go on to `target`.

    `whose` is their id, and the epoch in which they proved who they are: whoever was shut out since stays out. `by` is
    how: `password`, `provider:<slug>`, after which somebody with a second factor is asked for it, or `passkey`, which
    is two factors at once.
    """
    target = staff_target(target)
    member = queries.for_session(*whose)
    if member is not None and member.has_second_factor and by != BY_PASSKEY:
        sessions.forget()
        session[_HALF] = Half(*whose, by, target, toast, clock.now().isoformat())
        return see_other(url_for("staff_two_factor.verify"))
    return complete(whose, by=by, target=target, toast=toast)


def complete(whose: tuple[int, int], *, by: str, target: str, toast: str | None = None) -> Response:
    """Sign in somebody who has proven all there is to prove."""
    with transaction():
        member = services.signed_in(*whose, by, clock.now(), request.remote_addr)
    return renewed(whose, by=by, target=target, toast=toast) if member else see_other(url_for("staff.sign_in"))


def renewed(whose: tuple[int, int], *, by: str, target: str, toast: str | None = None) -> Response:
    """A session under a new id: after signing in, and for somebody whose other sessions have just ended."""
    sessions.forget()
    member = queries.for_session(*whose)
    if member is None:
        return see_other(url_for("staff.sign_in"))
    login_user(member)
    session[HOW] = by
    proven_now()
    return see_other(target, toast)


def how_signed_in() -> str:
    """How the person who is signed in proved who they are."""
    return str(session.get(HOW, BY_PASSWORD))


def half() -> Half | None:
    """Who owes this browser the second factor; None when that was too long ago, or nobody does."""
    kept = session.get(_HALF)
    if not kept:
        return None
    found = Half(*kept)
    late = clock.now() - datetime.fromisoformat(found.at) >= HALF_LASTS
    return None if late or found.tries >= TRIES else found


def tried(owing: Half) -> None:
    """Count a wrong code; after five the first factor is asked for again."""
    session[_HALF] = owing._replace(tries=owing.tries + 1)


def staff_target(asked_for: str | None) -> str:
    """Where signing in leads: the staff page that was asked for, or the overview. Sessions keep it: nothing long."""
    overview = url_for("staff.overview")
    target = local_target(asked_for, overview) if len(asked_for or "") <= LONGEST_TARGET else overview
    outside = target.startswith((url_for("staff.sign_in"), overview + "set-up/"))
    asks_again = target.partition("?")[0] == url_for("staff_proof.confirm")
    return target if target.startswith(overview) and not outside and not asks_again else overview
