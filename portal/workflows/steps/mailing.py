"""Sending an e-mail."""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.email_templates import queries as templates
from portal.mail import outbox
from portal.workflows.steps.kinds import (
    CHOICE,
    CONTACT,
    INVITATION,
    Choices,
    Context,
    Field,
    Outcome,
    StepFailed,
    StepType,
    Values,
    known,
)

TO_CONTACT = ("welcome", "message")
TO_INVITED = ("invitation", "reminder")
"""The kinds of templates whose placeholders a workflow can fill, by primary entity."""


def _choices(entity: str) -> Choices:
    kinds = TO_INVITED if entity == INVITATION else TO_CONTACT
    return [(one.key, one.name) for one in templates.all_of_them() if one.kind in kinds]


def _check(values: Values, entity: str, role: str) -> dict[str, str]:
    template = templates.by_key(str(values.get("template", "")))
    if template is not None and not template.active:
        return {"template": _("The e-mail template “%(name)s” is deactivated.", name=template.name)}
    return {}


def _send(values: Values, about: Context) -> Outcome:
    template = templates.by_key(str(values["template"]))
    if template is None:
        raise StepFailed(_("There is no such e-mail template any more."))
    if not template.active:
        raise StepFailed(_("The e-mail template “%(name)s” is deactivated.", name=template.name))
    if about.contact is None:
        if known.invitations is None or about.run.invitation_id is None:
            raise StepFailed(_("There is no invitation to send."))
        return Outcome(known.invitations.send(about.run.invitation_id, template.key, about))
    contact = about.contact
    if not contact.email1:
        raise StepFailed(_("%(name)s has no e-mail address.", name=contact.name))
    if not contact.active:
        raise StepFailed(_("%(name)s is deactivated.", name=contact.name))
    outbox.enqueue(
        "workflow",
        now=about.now,
        contact_id=contact.id,
        about=("workflow-run", about.run.id),
        detail={"template": template.key},
        dedupe_key=about.key,
    )
    return Outcome(_("Queued the message “%(template)s”.", template=template.name))


def _words(values: Values) -> str:
    template = templates.by_key(str(values.get("template", "")))
    return template.name if template else str(values.get("template", ""))


SEND_EMAIL = StepType(
    "send_email",
    _l("Send e-mail"),
    "mail",
    _send,
    help=_l("Queues a message. To an invitation: for everybody it invites who has not redeemed it."),
    fields=(Field("template", _l("E-mail template"), CHOICE, choices=_choices),),
    entities=frozenset({CONTACT, INVITATION}),
    check=_check,
    in_words=_words,
)
