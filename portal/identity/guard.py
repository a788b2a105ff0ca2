"""The signed-in contact: who it is, and views that need one, or one with a web role."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, cast
from urllib.parse import urlsplit

from flask import abort, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, login_user, logout_user

from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.identity import staying
from portal.kernel.actor import Actor
from portal.kernel.db import transaction
from portal.kernel.errors import Conflict
from portal.kernel.names import fold
from portal.roles import queries as roles
from portal.web import proof, sessions
from portal.web.htmx import go, wanted
from portal.web.security import local_target

P = ParamSpec("P")
View = Callable[P, ResponseReturnValue]
HOW = "signed_in_by"


def current_contact() -> Contact | None:
    """The contact who is signed in, or None."""
    person = current_user._get_current_object()
    return person if isinstance(person, Contact) else None


def signed_in() -> Contact:
    """The contact who is signed in; only inside a view marked `@contact_required`."""
    return cast(Contact, current_user._get_current_object())


def actor() -> Actor:
    """Them as services and the journal see them."""
    contact = signed_in()
    return Actor("contact", contact.id, contact.name, request.remote_addr)


@contextmanager
def own_transaction() -> Iterator[None]:
    """`transaction()` for what the signed-in contact does to their own sign-in, with their record locked.

    Raises Conflict where their sessions were ended since this request began: it may have waited for that very lock.
    """
    contact_id = signed_in().id
    with transaction():
        contact = contacts.get(contact_id, lock=True)
        if not contact.active or contact.get_id() != session.get(sessions.USER):
            raise Conflict(_("You were signed out in the meantime. Nothing was changed."))
        yield


def contact_required(view: View[P]) -> View[P]:
    """Open a view to signed-in contacts; everybody else is led to the sign-in page, and back afterwards."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if current_contact() is None:
            return go(url_for("sign_in.sign_in", next=_asked_for()))
        return view(*args, **kwargs)

    return guarded


def proven(view: View[P]) -> View[P]:
    """Open a view to signed-in contacts who have just proven who they are; the others are asked to, and what they
    sent waits for them."""

    @wraps(view)
    @contact_required
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if proven_recently():
            if request.method == "POST":
                proof.drop_form()
            return view(*args, **kwargs)
        if request.method in ("GET", "HEAD"):
            return go(url_for("proving.again", next=request.full_path.rstrip("?")))
        # A form that cannot be kept is left where it was filled in: going back in the browser finds it there.
        after = url_for("proving.go_on") if proof.keep_form() else _came_from()
        return go(url_for("proving.again", next=after))

    return guarded


def require_web_role(name: str) -> Callable[[View[P]], View[P]]:
    """Open a view to signed-in contacts who have the web role of this name; 403 for the others."""

    def mark(view: View[P]) -> View[P]:
        @wraps(view)
        @contact_required
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            held = [*roles.authenticated(), *(role.name for role in contacts.web_roles(signed_in().id))]
            if fold(name, 300) not in {fold(one, 300) for one in held}:
                abort(403)
            return view(*args, **kwargs)

        return guarded

    return mark


def begin_session(contact_id: int, epoch: int, *, by: str) -> None:
    """Sign this browser in as the contact, under a new session id; what the session holds beside is kept.

    `by` says how they proved who they are: `password`, `passkey`, `provider:<slug>`. `epoch` is the one in which they
    did: whoever was shut out since then is not signed in.
    """
    staying.leave()
    contact = contacts.for_session(contact_id, epoch)
    if contact is None:
        logout_user()
    else:
        login_user(contact)
        session[HOW] = by
        proven_now()
    sessions.renew()


def resume_session() -> None:
    """Before a contact's page: sign in who stays signed in with this browser, under a new session id, and end the
    session of a browser that is remembered no more. It proves nothing: `proven_recently` is not set by it."""
    if request.endpoint is None or sessions.audience_of(request.path) == sessions.STAFF:
        return
    if request.path.startswith("/health"):
        return
    if staying.over():
        end_session()
    elif current_contact() is None and (kept := staying.resumed()) is not None:
        contact = contacts.for_session(kept.contact_id, kept.epoch)
        if contact is not None:
            login_user(contact)
            session.pop(proof.PROVEN_AT, None)
            session[HOW], session[staying.KEPT] = "password", kept.browser_id
            sessions.renew()


def how_signed_in() -> str:
    """How the person who is signed in proved who they are."""
    return str(session.get(HOW, "password"))


def continue_session(contact_id: int, epoch: int) -> None:
    """Keep this browser signed in after their other sessions were ended: under a new session id, with the proof it
    had and no newer one."""
    contact = contacts.for_session(contact_id, epoch)
    if contact is None:
        logout_user()
    else:
        login_user(contact)
    sessions.renew()


def proven_now() -> None:
    """Note that the signed-in person has just proven who they are."""
    proof.proven_now()


def proven_recently() -> bool:
    """Whether they did so within the last ten minutes, as changing a way to sign in asks for (ASVS 7.5.1)."""
    return proof.proven_recently()


def end_session(*, keep: str | None = None) -> None:
    """Sign this browser out and end its session; of what that held only `keep` goes into a new one."""
    kept = session.get(keep) if keep else None
    staying.leave()
    logout_user()
    sessions.forget()
    if keep and kept is not None:
        session[keep] = kept


def _asked_for() -> str | None:
    return request.full_path.rstrip("?") if request.method == "GET" and not wanted() else None


def _came_from() -> str | None:
    return local_target(urlsplit(request.referrer or "").path, "") or None
