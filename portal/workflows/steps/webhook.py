"""Calling a webhook: a signed POST to an address outside."""

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.kernel import egress
from portal.settings.queries import operator, ring
from portal.workflows.steps.kinds import SECRET, Context, Field, Outcome, StepFailed, StepType, Values

SEALED_ABOUT = "workflow-webhook"
SHORTEST_SECRET = 16


def _check(values: Values, entity: str, role: str) -> dict[str, str]:
    try:
        egress.check_url(str(values.get("url", "")), operator().webhook_networks)
    except egress.Refused as fault:
        return {"url": _("This address cannot be called: %(why)s.", why=str(fault))}
    return {}


def signature(secret: str, timestamp: str, delivery: str, body: bytes) -> str:
    """What `X-Portal-Signature` holds: HMAC-SHA256 over `timestamp.delivery.body`, as hex behind `v1=`."""
    message = f"{timestamp}.{delivery}.".encode() + body
    return "v1=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def _call(values: Values, about: Context) -> Any:
    """Call it, outside any transaction; the same delivery id at every try, so that the other side can tell."""
    delivery = str(uuid5(NAMESPACE_URL, f"{operator().base_url}/{about.key}"))
    timestamp = str(int(about.now.timestamp()))
    facts = {name: fact.isoformat() if isinstance(fact, datetime) else fact for name, fact in about.facts.items()}
    body = json.dumps(
        {"delivery": delivery, "run": about.run.id, "workflow": about.run.workflow_id, **facts}, ensure_ascii=False
    ).encode()
    secret = ring().open(str(values["secret"]), SEALED_ABOUT)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "invitation-portal",
        "X-Portal-Delivery": delivery,
        "X-Portal-Timestamp": timestamp,
        "X-Portal-Signature": signature(secret, timestamp, delivery, body),
    }
    try:
        answer = egress.post(str(values["url"]), body, headers, operator().webhook_networks)
    except egress.Refused as fault:
        raise StepFailed(_("The webhook was not called: %(why)s.", why=str(fault))) from fault
    except egress.Failed as fault:
        raise StepFailed(_("The webhook could not be called: %(why)s.", why=str(fault))) from fault
    if not 200 <= answer.status < 300:
        raise StepFailed(_("The webhook answered %(status)s.", status=answer.status))
    return answer.status


def _called(values: Values, about: Context) -> Outcome:
    return Outcome(_("The webhook answered %(status)s.", status=values["outside"]))


WEBHOOK = StepType(
    "webhook",
    _l("Call a webhook"),
    "world",
    _called,
    help=_l("A signed POST with what is known of the contact and the invitation; see docs/workflows.md."),
    fields=(
        Field("url", _l("Address"), help=_l("Begins with https://"), most=500),
        Field(
            "secret",
            _l("Secret"),
            SECRET,
            help=_l("Signs each call, so that the other side knows it is from here. At least 16 characters."),
            most=200,
            least=SHORTEST_SECRET,
        ),
    ),
    check=_check,
    outside=_call,
    in_words=lambda values: str(values.get("url", "")),
)
