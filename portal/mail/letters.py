"""Writes a message when its turn comes: prepared, rendered, framed, and sealed for the outbox page."""

import json
from collections.abc import Sequence
from datetime import datetime
from email.utils import parseaddr
from typing import NamedTuple

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import InterfaceError, OperationalError

from portal.kernel.addresses import parse
from portal.kernel.db import db
from portal.mail import outbox, return_path
from portal.mail.framing import Letter, frame
from portal.mail.models import Message
from portal.mail.outbox import Prepared
from portal.mail.placeholders import harmless
from portal.mail.states import Written
from portal.mail.texts import Inactive, Source, source
from portal.settings.queries import operator, ring, site


class Body(NamedTuple):
    """What a delivered message said. `kept`: it never left this machine."""

    subject: str
    html: str
    text: str
    links: list[str]
    secrets: list[str]
    kept: bool


def write(message_id: int, now: datetime) -> Written:
    """The message as it goes out now. Raises Cancelled, or whatever is wrong with it."""
    written = write_many([message_id], now)[message_id]
    if isinstance(written, Exception):
        raise written
    return written


def write_many(message_ids: Sequence[int], now: datetime) -> dict[int, Written | Exception]:
    """These messages as they go out now, by id; in place of one that cannot go out stands what `write` would raise.

    Raises only what is no fault of a message: that the database cannot be asked.
    """
    found = db.session.scalars(select(Message).where(Message.id.in_(message_ids))).all()
    by_kind: dict[str, list[Message]] = {}
    for message in found:
        by_kind.setdefault(message.kind, []).append(message)
    texts: dict[tuple[str, str], Source | Inactive] = {}
    written: dict[int, Written | Exception] = {}
    for kind, messages in by_kind.items():
        prepared = outbox.prepares_many.get(kind, _one_by_one)(messages, now)
        for message in messages:
            ready = prepared[message.id]
            written[message.id] = ready if isinstance(ready, Exception) else _attempt(message, ready, texts, now)
    return written


def _one_by_one(messages: Sequence[Message], now: datetime) -> dict[int, Prepared | Exception]:
    made: dict[int, Prepared | Exception] = {}
    for message in messages:
        try:
            made[message.id] = outbox.prepares[message.kind](message, now)
        except (OperationalError, InterfaceError):
            raise
        except Exception as fault:
            made[message.id] = fault
    return made


def _attempt(
    message: Message, prepared: Prepared, texts: dict[tuple[str, str], Source | Inactive], now: datetime
) -> Written | Exception:
    try:
        return _written(message, prepared, texts, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as fault:
        return fault


def _source(prepared: Prepared, texts: dict[tuple[str, str], Source | Inactive]) -> Source:
    """The texts of a template, asked for once. Raises Cancelled."""
    key = (prepared.template, prepared.language)
    if key not in texts:
        try:
            texts[key] = source(*key)
        except Inactive as fault:
            texts[key] = fault
    found = texts[key]
    if isinstance(found, Inactive):
        raise outbox.Cancelled(_("The e-mail template “%(name)s” is deactivated.", name=found.name))
    return found


def _written(
    message: Message, prepared: Prepared, texts: dict[tuple[str, str], Source | Inactive], now: datetime
) -> Written:
    from portal.mail import templates  # Liquid takes a tenth of a second to load, which web processes are spared

    if prepared.source is not None:
        rendered = templates.made(prepared.source, prepared.values, passing=True)
    else:
        rendered = templates.made(_source(prepared, texts), prepared.values)
    name, sender = parseaddr(operator().mail_from)
    sender = rendered.sender or sender
    letter = Letter(
        message_id=outbox.message_id(message),
        sender_name=_sender_name(prepared.sender_name, name),
        sender=sender,
        to=parse(prepared.to),
        reply_to=parse(prepared.reply_to) if prepared.reply_to else None,
        subject=rendered.subject,
        date=now,
        text=rendered.text,
        html=rendered.html,
        language=rendered.language,
    )
    data = frame(letter)
    body = Body(*rendered[:3], list(rendered.links), list(rendered.secrets), kept=operator().keeps_mail)
    return Written(
        to=letter.to,
        sender=return_path.address(message, sender),
        shown_sender=letter.shown_sender,
        reply_to=letter.reply_to,
        sealed=ring().seal(json.dumps(body._asdict()), about=_seal(message.id)),
        data=data,
        template_version_id=rendered.version_id,
    )


def read(message: Message) -> Body | None:
    """What a message said, unmasked; None before it was written. Raises KeyMissing without its key."""
    if message.body_sealed is None:
        return None
    return Body(**json.loads(ring().open(message.body_sealed, about=_seal(message.id))))


def _sender_name(person: str | None, configured: str) -> str:
    """Who the recipient sees: a person by way of the site, else the site."""
    site_name = site().name
    if not person:
        return configured or site_name
    return _("%(name)s via %(site)s", name=harmless(person), site=site_name)


def _seal(message_id: int) -> str:
    return f"message:{message_id}"
