"""The list of messages, and the page of one."""

from datetime import datetime
from typing import Any

from flask import make_response, request, url_for
from werkzeug.wrappers import Response

from portal.contacts import queries as contacts
from portal.kernel.errors import NotFound
from portal.kernel.paging import COUNTED
from portal.kernel.secrets_ import KeyMissing
from portal.mail import letters, masking, queries, words
from portal.mail.letters import Body
from portal.mail.models import Message
from portal.mail.views.blueprint import bp, filters, query_of
from portal.settings.queries import operator, site
from portal.staff.guard import current_staff
from portal.staff.permissions import Permission
from portal.web.guard import may, needs
from portal.web.htmx import render
from portal.web.security import POLICY

# A mail cannot do more here than in a mail program: no script, no form, nothing from elsewhere.
BODY_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


@bp.get("/")
@needs(Permission.VIEW)
def index() -> Response:
    """All messages, newest first."""
    wanted = filters()
    page = queries.page(wanted, request.args.get("after", ""))
    query: dict[str, Any] = query_of(wanted)
    return render(
        "outbox/index.html",
        rows=page.rows,
        filters=wanted,
        contact=contacts.find(wanted.contact_id) if wanted.contact_id else None,
        query=query,
        counts=queries.counts(),
        counted=COUNTED,
        states=words.states(),
        kinds=words.kinds(),
        pause=_pause(),
        pace=site().mail_per_minute,
        keeps_mail=operator().keeps_mail,
        first_url=url_for("outbox.index", **query) if request.args.get("after") else None,
        next_url=url_for("outbox.index", **query, after=page.after) if page.after else None,
    )


@bp.get("/<int:message_id>")
@needs(Permission.VIEW)
def record(message_id: int) -> Response:
    """One message: what became of it, and what it says."""
    message = queries.get(message_id)
    body, whole, unreadable = _body(message) if may(Permission.READ_MESSAGES) else (None, False, False)
    answer = render(
        "outbox/record.html",
        message=message,
        contact=contacts.find(message.contact_id) if message.contact_id else None,
        body=body,
        whole=whole,
        unreadable=unreadable,
        may_read=may(Permission.READ_MESSAGES),
        states=words.states(),
        kinds=words.kinds(),
        outcomes=words.outcomes(),
        history=_history(message),
        reason=words.reason(message.answer) if message.state in ("failed", "deferred") else "",
        pause=_pause(),
    )
    answer.headers["Content-Security-Policy"] = f"{POLICY}; frame-src 'self'"
    return answer


@bp.get("/<int:message_id>/body")
@needs(Permission.READ_MESSAGES)
def body(message_id: int) -> Response:
    """The HTML part by itself, for the sandboxed frame on the page."""
    shown, _whole, _unreadable = _body(queries.get(message_id))
    if shown is None:
        raise NotFound
    answer = make_response(shown.html)
    answer.headers["Content-Security-Policy"] = BODY_POLICY
    answer.headers["X-Frame-Options"] = ""
    return answer


def _body(message: Message) -> tuple[Body | None, bool, bool]:
    """What this person may see of the message, whether that is all of it, and whether its key is missing."""
    try:
        found = letters.read(message)
    except (KeyMissing, ValueError):
        return None, False, True
    if found is None:
        return None, False, False
    shown, whole = masking.shown_to(current_staff(), found)
    return shown, whole, False


def _history(message: Message) -> list[dict[str, Any]]:
    """What happened, oldest first; the delivery itself is kept in the message, so that it costs no more than that."""
    lines: list[dict[str, Any]] = [{**line, "at": datetime.fromisoformat(line["at"])} for line in message.history]
    if message.state == "sent" and message.sent_at is not None:
        lines.append({"at": message.sent_at, "outcome": "sent", "answer": message.answer, "by": ""})
    return sorted(lines, key=lambda line: line["at"])


def _pause() -> object:
    return queries.pause() if not operator().keeps_mail else None
