"""The two halves of a ceremony as requests: asking a browser for a passkey, and taking its answer."""

from collections.abc import Iterable

from flask import abort, jsonify, request, session
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from limits import RateLimitItemPerMinute

from portal.kernel import clock
from portal.kernel.secrets_ import digest
from portal.passkeys import ceremonies, pending, queries
from portal.passkeys.ceremonies import Answer, Descriptor, Party, Person
from portal.passkeys.forms import sent_answer
from portal.passkeys.pending import Challenge
from portal.web import limits, sessions

ADDRESS = RateLimitItemPerMinute(30, 5)
NEWCOMERS = RateLimitItemPerMinute(100, 5)
ONCE = RateLimitItemPerMinute(1, 10)


def require_passkeys() -> Party:
    """The site as authenticators know it; the answer is 404 where passkeys are not offered."""
    return queries.party() or abort(404)


def ask_to_use(purpose: str, existing: Iterable[Descriptor] = ()) -> ResponseReturnValue:
    """Options for signing a new challenge with any passkey of this site, or one of the existing. Raises TooFast."""
    party, text = _asked(), ceremonies.new_challenge()
    pending.remember(session, Challenge(text, purpose, clock.now().isoformat()))
    return _options(ceremonies.to_use(party, text, existing))


def ask_to_make(purpose: str, person: Person, existing: Iterable[Descriptor] = ()) -> ResponseReturnValue:
    """Options for making a passkey for this person, in an authenticator that holds none of the existing. Raises
    TooFast."""
    party, text = _asked(), ceremonies.new_challenge()
    handle = ceremonies.encoded(person.handle)
    pending.remember(session, Challenge(text, purpose, clock.now().isoformat(), handle))
    return _options(ceremonies.to_make(party, person, text, existing))


def led_to(url: str) -> ResponseReturnValue:
    """In place of options: the page that has to come first."""
    answer = jsonify(go=url)
    answer.status_code = 403
    return answer


def answered(purpose: str) -> tuple[Answer, Challenge | None]:
    """What the browser sent, and the challenge of ours that it answers; that is used up from now on, whatever becomes
    of the answer. Raises Refused, or TooFast where answers from this address failed too often."""
    require_passkeys()
    limits.check(_("Too many passkeys did not work. Please wait before you try again."), *_limit())
    answer = sent_answer()
    challenge = pending.take(session, answer.challenge, purpose, clock.now())
    # The session is written when the request is over; of two answers at once only one may go on.
    if challenge is not None and not limits.hit((ONCE, f"passkey:challenge:{digest(challenge.text)}")):
        challenge = None
    return answer, challenge


def count_failure() -> None:
    """Count an answer that was refused. Never inside `transaction()`."""
    limits.hit(*_limit())


def _asked() -> Party:
    """Asking makes a session, for everybody who has none: from one address only so often."""
    party = require_passkeys()
    if not getattr(session, "stored", False):
        newcomers = (NEWCOMERS, f"passkey:new:{limits.household(request.remote_addr)}")
        limits.check(_("There were many requests from your network. Please wait before you try again."), newcomers)
        limits.hit(newcomers)
    return party


def _limit() -> list[tuple[RateLimitItemPerMinute, str]]:
    return [(ADDRESS, f"passkey:ip:{limits.household(request.remote_addr)}")]


def _options(public_key: dict[str, object]) -> ResponseReturnValue:
    return jsonify(publicKey=public_key, csrf_token=sessions.next_token())
