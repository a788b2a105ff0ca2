"""What happens once somebody has proven who they are, whichever way they did."""

from flask import request, session, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.identity import staying
from portal.identity.guard import begin_session
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.redemption import pending, services
from portal.redemption.pending import Intent
from portal.redemption.services import Refused
from portal.settings.queries import site
from portal.web import sessions
from portal.web.htmx import see_other
from portal.web.security import local_target


def arrive(whose: tuple[int, int], *, by: str, target: str | None, agreed: bool, remember: bool = False) -> Response:
    """Sign this browser in, and go on: with the invitation that is waiting, else to `target`.

    `whose` is the contact's id and the epoch in which they proved who they are; `by` how (`password`, `passkey`,
    `provider:<slug>`); `agreed` whether they meant to accept the waiting invitation by signing in (see `agrees`);
    `remember` whether this browser is to stay signed in.
    """
    begin_session(*whose, by=by)
    if remember and current_user.is_authenticated and site().remember_me:
        staying.stay(whose)
    intent = pending.recall(session) if site().redeems else None
    if intent is None or not current_user.is_authenticated:
        return see_other(after(target))
    if agreed:
        try:
            with transaction():
                services.accept(intent, whose[0], by=by, ip=request.remote_addr, now=clock.now())
        except Refused:
            pass  # the review page, where they go now, says why
        else:
            return accepted(intent)
    return see_other(url_for("redemption.review"))


def after(target: str | None) -> str:
    """Where somebody goes who has signed in: `target` if it is a page of this site, else what waits for them."""
    waiting = pending.recall(session) is not None and site().redeems
    return local_target(target, url_for("redemption.review" if waiting else "identity.profile"))


def accepted(intent: Intent) -> Response:
    """After a redemption: a new session id, the intent gone, and on to where the person wanted to go."""
    sessions.renew()
    pending.forget(session)
    return see_other(local_target(intent.returnurl, url_for("redemption.welcome")))


def agrees(intent: Intent | None, mark: str) -> bool:
    """Whether somebody who signs in now accepts the invitation by it: the review page was the last they saw, and it
    spoke of this invitation. `mark` is what the form they came from carries (`seen`)."""
    return intent is not None and intent.reviewed and mark == intent.mark


def was_shown(intent: Intent | None) -> bool:
    """Whether the page that sends this form spoke of this invitation. Another tab, or another site's link, may have
    brought another one since: nobody accepts what they have not seen. A form without the mark is taken at its word."""
    mark = intent.mark if intent else ""
    return request.form.get("seen", mark) == mark
