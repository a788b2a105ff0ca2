"""What staff may see of a delivered message: links, codes and tokens are masked, for they open doors."""

import re
from html import escape

from portal.mail.letters import Body
from portal.settings.queries import operator
from portal.staff.models import StaffMember
from portal.staff.permissions import StaffRole

MASK = "••••••"
_TOKEN = re.compile(r"(?<=/)[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")


def shown_to(member: StaffMember, body: Body) -> tuple[Body, bool]:
    """The body as this person may see it, and whether it is whole: for an Owner, of a message that never left."""
    if operator().keeps_mail and body.kept and member.role == StaffRole.OWNER:
        return body, True
    masked = body._replace(
        subject=_masked(body.subject, body),
        html=_masked(body.html, body),
        text=_masked(body.text, body),
        links=[],
        secrets=[],
    )
    return masked, False


def _masked(text: str, body: Body) -> str:
    for secret in body.secrets:
        # A code may hold a hard blank, which the HTML part spells out.
        for spelling in (secret, escape(secret), escape(secret).replace("\xa0", "&nbsp;")):
            text = text.replace(spelling, MASK)
    return _TOKEN.sub(MASK, text)
