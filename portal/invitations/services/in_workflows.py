"""What workflows may know of an invitation, and how one of their steps mails it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import exists, select

from portal.accounts import queries as accounts
from portal.invitations import queries
from portal.invitations.models import Invitation
from portal.invitations.services import capping, planning, sending
from portal.invitations.status import status_of
from portal.journal.services import Record, record
from portal.kernel.actor import SYSTEM
from portal.kernel.db import db
from portal.mail import outbox
from portal.workflows import queries as workflow_queries
from portal.workflows import services as workflows
from portal.workflows.models import WorkflowRun
from portal.workflows.steps import Context, StepFailed

EXPIRED = "invitation_expired"
AT_ONCE = 200


class InWorkflows:
    """Invitations as the steps of workflows see them."""

    def facts(self, invitation_id: int) -> dict[str, Any]:
        """What conditions, waits and webhooks may know; no code and no link."""
        invitation = queries.find(invitation_id)
        if invitation is None:
            return {}
        return {
            "invitation_id": invitation.id,
            "invitation_name": invitation.name,
            "invitation_type": invitation.type,
            "invitation_status": status_of(invitation).value,
            "invitation_used": invitation.used,
            "invitation_account": accounts.names([invitation.account_id]).get(invitation.account_id or 0, ""),
            "expires_at": invitation.expires_at,
            "sent_at": invitation.sent_at,
        }

    def names(self, ids: Iterable[int]) -> dict[int, str]:
        """The names of those that exist, newest first."""
        return {one.id: one.name for one in queries.by_ids(list(ids))}

    def send(self, invitation_id: int, template: str, about: Context) -> str:
        """Queue the template's message for everybody who is still due one. Raises StepFailed."""
        invitation = queries.get(invitation_id, lock=True)
        capping.one_at_a_time()
        intended = sending.plan(invitation, None, about.now)
        if intended.refused:
            raise StepFailed(intended.refused)
        for contact in intended.recipients:
            outbox.enqueue(
                queries.KIND,
                now=about.now,
                contact_id=contact.id,
                about=(queries.KIND, invitation.id),
                detail={"template": template},
                dedupe_key=f"{about.key}:{contact.id}",
            )
        count = len(intended.recipients)
        told = ngettext("%(num)s e-mail queued", "%(num)s e-mails queued", count)
        if count:
            invitation.sent_at = invitation.sent_at or about.now
            named = [Record("contact", contact.id, contact.name) for contact in intended.recipients]
            record("invitation.sent", *about.records, *named, by=SYSTEM, now=about.now, text=told)
            db.session.flush()
            planning.plan_ahead(invitation, about.now, sent_now=True)
        skipped = ", ".join(f"{one.contact.name} {one.why}" for one in intended.skipped[: sending.MOST_NAMED])
        return f"{told}; {_('skipped')}: {skipped}" if skipped else told


def start_expired(now: datetime) -> int:
    """Start the workflows that an expiry triggers, once for each invitation that expired while one was activated."""
    started = 0
    for workflow in workflow_queries.triggered_by(EXPIRED):
        ran = exists().where(
            WorkflowRun.workflow_id == workflow.id,
            WorkflowRun.cause_kind == EXPIRED,
            WorkflowRun.cause_id == Invitation.id,
        )
        due = select(Invitation.id).where(
            Invitation.expires_at <= now,
            Invitation.expires_at > (workflow.activated_at or now),
            Invitation.deactivated_at.is_(None),
            Invitation.completed_at.is_(None),
            ~ran,
        )
        for invitation_id in db.session.scalars(due.order_by(Invitation.expires_at).limit(AT_ONCE)).all():
            workflows.start(workflow.id, None, cause=(EXPIRED, invitation_id), invitation_id=invitation_id, now=now)
            started += 1
    return started
