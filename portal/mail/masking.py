"""What staff may see of a delivered message: links, codes and tokens are masked, for they open doors."""

import re
from html import escape
from urllib.parse import quote_plus

from portal.mail.letters import Body
from portal.settings.queries import operator
from portal.staff.models import StaffMember
from portal.staff.permissions import StaffRole

MASK = "••••••"
PART = 12
"""So many first characters of a secret are one already: a template may cut it short, or change its letters' case."""
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
        for spelling in (secret, escape(secret), escape(secret).replace("\xa0", "&nbsp;"), quote_plus(secret)):
            text = _without(text, spelling)
        for length in range(len(secret) - 1, PART - 1, -1):
            text = _without(text, secret[:length])
    return _TOKEN.sub(MASK, text)


def _without(text: str, secret: str) -> str:
    return re.sub(re.escape(secret), MASK, text, flags=re.IGNORECASE)
