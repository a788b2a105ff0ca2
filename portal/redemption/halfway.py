"""Somebody whose password was right and who is not signed in yet: what is still asked of them, kept in the session."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from flask import request, session, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.identity.guard import end_session
from portal.identity.services.second_factor import Passed
from portal.kernel import clock
from portal.redemption import pending
from portal.redemption.arriving import agrees, arrive
from portal.redemption.services import BY_PASSWORD
from portal.web import sessions
from portal.web.htmx import see_other

KEY = "halfway"
LASTS = timedelta(minutes=30)
MAILS = 4
"""How many codes are mailed to somebody on their way: the first, and three more that they ask for."""


@dataclass(frozen=True)
class Halfway:
    """Somebody on their way in. `account` is what their failures are counted under; `target`, `seen` and `remember`
    come from the form they signed in with."""

    passed: Passed
    account: str
    target: str | None
    seen: str
    remember: bool
    began_at: str
    mails: int = 1


def go_on(passed: Passed, account: str, target: str | None, *, remember: bool) -> Response:
    """After the right password: sign in, or ask for what is still missing, with nobody signed in until then."""
    intent = pending.recall(session)
    seen = request.form.get("seen", intent.mark if intent else "")
    half = Halfway(passed, account, target, seen, remember, clock.now().isoformat())
    if passed.done:
        return arrived(half, passed.whose)
    if current_user.is_authenticated:
        end_session(keep=pending.KEY)
    return _asked(half)


def recall() -> Halfway | None:
    """Who is on their way in this browser; nobody after half an hour."""
    kept = session.get(KEY)
    if not kept or clock.now() - datetime.fromisoformat(kept["began_at"]) >= LASTS:
        return None
    return Halfway(**{**kept, "passed": Passed(**kept["passed"])})


def mailed_again(half: Halfway, passed: Passed) -> None:
    """Note that another code was mailed."""
    session[KEY] = asdict(replace(half, passed=passed, mails=half.mails + 1))


def code_given(half: Halfway) -> Halfway:
    """The code was right: what comes next does not ask for it again."""
    return replace(half, passed=replace(half.passed, link_id=None))


def next_step(half: Halfway) -> Response:
    """After the code: a password of their own is still missing."""
    return _asked(half)


def start_again(half: Halfway | None = None) -> str:
    """The address of the sign-in form, with what was to come afterwards; nobody is on their way any more."""
    if KEY in session:
        del session[KEY]
    return url_for("sign_in.sign_in", next=half.target if half else None)


def arrived(half: Halfway, whose: tuple[int, int]) -> Response:
    """Nothing is missing: sign in."""
    if KEY in session:
        del session[KEY]
    return arrive(whose, by=BY_PASSWORD, target=half.target, agreed=accepts(half), remember=half.remember)


def accepts(half: Halfway) -> bool:
    """Whether signing in accepts the waiting invitation: it is the one they saw when they began."""
    return agrees(pending.recall(session), half.seen)


def _asked(half: Halfway) -> Response:
    session[KEY] = asdict(half)
    sessions.renew()
    step = "second_factor.verify" if half.passed.link_id is not None else "second_factor.own_password"
    return see_other(url_for(step))
