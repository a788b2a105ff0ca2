"""A workflow that fails takes nothing back: the redemption stands, the run is tried again, its effect happens once."""

import pytest
from flask import Flask

from portal.contacts.models import ContactWebRole
from portal.invitations.models import Redemption
from portal.jobs import runner
from portal.jobs.models import Job
from portal.journal.queries import timeline
from portal.kernel.db import db, transaction
from portal.redemption import services
from portal.workflows import steps
from portal.workflows.models import Workflow, WorkflowRun
from tests.support import make
from tests.support.clock import FrozenClock


def work_until_idle(clock: FrozenClock) -> None:
    for _ in range(12):
        while runner.turn("me", lambda: False):
            pass
        db.session.rollback()
        due = db.session.query(Job.due_at).filter(Job.state == "queued").first()
        if due is None:
            return
        clock.set(due.due_at)


@pytest.mark.parametrize(("failures", "ends"), [(2, "done"), (99, "failed")])
def test_the_redemption_stands(
    app: Flask, frozen_clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, failures: int, ends: str
) -> None:
    left = [failures]
    done: list[int] = []

    def flaky(values: steps.Values, about: steps.Context) -> steps.Outcome:
        if left[0]:
            left[0] -= 1
            raise RuntimeError("broken")
        done.append(about.run.id)
        return steps.Outcome("done")

    monkeypatch.setitem(steps.types, "flaky", steps.StepType("flaky", "Flaky", "x", flaky))
    role, contact = make.make_role(), make.make_contact(verified=True)
    workflow = make._saved(Workflow(name="Flaky", steps=[{"type": "flaky"}]))
    invitation = make.make_invitation(contact, roles=[role], workflow=workflow)
    invitation_id, contact_id = invitation.id, contact.id
    with transaction():
        services.redeem(invitation_id, contact_id, proof="link", signed_in_by="password", ip=None, now=frozen_clock.now)
    work_until_idle(frozen_clock)
    run = db.session.query(WorkflowRun).one()
    assert (run.state, len(done)) == (ends, 1 if ends == "done" else 0)
    assert db.session.query(Redemption).count() == 1
    assert db.session.query(ContactWebRole).count() == 1
    for kind, record_id in (("invitation", invitation_id), ("contact", contact_id)):
        found = [line.action for line in timeline(kind, record_id)]
        assert found.count(f"workflow.{ends}") == 1
