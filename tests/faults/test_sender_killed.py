"""kill -9 of the process that sends, on either side of its commit: all of it or nothing."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

from flask import Flask

from portal.invitations.models import Invitation
from portal.kernel.db import db
from portal.mail.models import Message
from tests.support import make
from tests.support.live import ROOT, Process
from tests.support.post import states
from tests.twins.smtp import SmtpTwin

# What a web process does at *Send Invitation*, ended by the kernel at the given moment.
SEND = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.orm import Session
from portal.app import create_app
from portal.invitations import services
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.staff.models import StaffMember

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

app = create_app()
with app.app_context():
    by = db.session.get_one(StaffMember, int(sys.argv[3])).actor(None)
    event.listen(Session, sys.argv[1], die)
    with transaction():
        services.send(int(sys.argv[2]), key="pressed-once", by=by, now=clock.now())
"""

Environment = Callable[..., dict[str, str]]


def send(environment: dict[str, str], moment: str, invitation: Invitation) -> None:
    command = [sys.executable, "-c", SEND, moment, str(invitation.id), str(invitation.owner_id)]
    db.session.rollback()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def group(number: int) -> Invitation:
    owner = make.make_staff()
    return make.make_invitation(*[make.make_contact() for _ in range(number)], type="group", owner=owner)


def test_before_the_commit_nothing_was_done(app: Flask, live_environment: Environment) -> None:
    invitation = group(10)
    send(live_environment(), "before_commit", invitation)
    assert db.session.query(Message).count() == 0
    assert db.session.get_one(Invitation, invitation.id, populate_existing=True).sent_at is None


def test_after_the_commit_everything_goes_out(
    app: Flask, live_environment: Environment, live_worker: Callable[..., Process], smtp: SmtpTwin
) -> None:
    invitation = group(100)
    send(live_environment(PORTAL_MAIL_URL=smtp.url), "after_commit", invitation)
    assert db.session.get_one(Invitation, invitation.id, populate_existing=True).sent_at is not None
    ids = [row.id for row in db.session.query(Message.id)]
    assert len(ids) == 100
    live_worker(PORTAL_MAIL_URL=smtp.url)
    smtp.until(lambda: set(states(ids)) == {"sent"}, 60, lambda: str(Counter(states(ids))))
    assert Counter(Counter(smtp.recipients).values()) == {1: 100}
