"""What each action of the journal is called, with its icon and its tone; the groups they are filtered by."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from flask_babel import gettext as _

from portal.journal.fields import field


class Label(NamedTuple):
    """How an action is shown."""

    text: str
    icon: str = "circle-dot"
    tone: str = "grey"


def label(action: str) -> Label:
    """The label of an action; one that is not known is called by its dotted name."""
    return _labels().get(action.replace("_", "-")) or Label(action)


def groups() -> list[tuple[str, str]]:
    """The groups of actions (their first word) with a name each, for the filter."""
    return [
        ("invitation", _("Invitations")),
        ("redemption", _("Redemptions")),
        ("message", _("Messages")),
        ("workflow", _("Workflows")),
        ("template", _("E-mail templates")),
        ("contact", _("Contacts")),
        ("credential", _("Sign-ins of contacts")),
        ("account", _("Accounts")),
        ("role", _("Web roles")),
        ("staff", _("People")),
        ("sign-in", _("Signing in")),
        ("settings", _("Settings")),
        ("provider", _("Sign-in providers")),
    ]


def kinds() -> dict[str, str]:
    """What each kind of record is called."""
    return {
        "invitation": _("Invitation"),
        "contact": _("Contact"),
        "account": _("Account"),
        "role": _("Web role"),
        "staff": _("Person"),
        "message": _("Message"),
        "workflow": _("Workflow"),
        "template": _("E-mail template"),
        "run": _("Workflow run"),
        "redemption": _("Redemption"),
        "settings": _("Settings"),
        "provider": _("Sign-in provider"),
    }


def somebody() -> str:
    """What an actor without a name is called: nobody knows who tried."""
    return _("Somebody")


def sentence(text: str, detail: dict[str, Any], others: Iterable[str] = ()) -> str:
    """One line under the label: the entry's own words, else the other records' names, and what changed."""
    if text:
        return text
    changes = detail.get("changes")
    changed = [_changed(name, pair) for name, pair in changes.items()] if isinstance(changes, dict) else []
    return " · ".join([*filter(None, [", ".join(filter(None, others))]), *changed])


def _changed(name: str, pair: object) -> str:
    if isinstance(pair, list | tuple) and len(pair) == 2:
        return _("%(field)s: %(old)s → %(new)s", field=field(name), old=_value(pair[0]), new=_value(pair[1]))
    return field(name)


def _value(value: object) -> str:
    if value is None or value == "" or value == []:
        return _("none")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return ", ".join(map(_value, value)) if isinstance(value, list) else _words().get(str(value), str(value))


def _words() -> dict[str, str]:
    """Stored values that have a name of their own."""
    return {
        "owner": _("Owner"),
        "manager": _("Invitation manager"),
        "editor": _("Template editor"),
        "viewer": _("Viewer"),
        "single": _("Single"),
        "group": _("Group"),
        "invited": _("The invited contacts"),
        "anyone": _("Anyone with the code"),
        "at_once": _("at once"),
        "daily": _("once a day"),
    }


def _labels() -> dict[str, Label]:
    return {
        "invitation.created": Label(_("Invitation created"), "plus", "blue"),
        "invitation.updated": Label(_("Invitation changed"), "edit"),
        "invitation.sent": Label(_("Invitation sent"), "send", "blue"),
        "invitation.reminded": Label(_("Reminder sent"), "bell", "blue"),
        "invitation.not-reminded": Label(_("Reminder not sent"), "bell", "yellow"),
        "invitation.not-sent": Label(_("Invitation not sent"), "mail-x", "red"),
        "invitation.extended": Label(_("Invitation extended"), "calendar", "blue"),
        "invitation.code-replaced": Label(_("New code issued"), "key", "yellow"),
        "invitation.recipient-changed": Label(_("Recipient changed"), "user-check", "yellow"),
        "invitation.deactivated": Label(_("Invitation deactivated"), "ban", "red"),
        "invitation.activated": Label(_("Invitation activated"), "circle-check", "green"),
        "invitation.deleted": Label(_("Invitation deleted"), "trash", "red"),
        "invitation.code-shown": Label(_("Code shown"), "eye", "yellow"),
        "invitation.link-copied": Label(_("Link copied"), "copy", "yellow"),
        "invitation.found-by-code": Label(_("Found by its code"), "hash", "yellow"),
        "invitation.declined": Label(_("Invitation declined"), "circle-x", "yellow"),
        "invitation.requested": Label(_("New invitation asked for"), "mail-opened", "yellow"),
        "invitation.reissued": Label(_("New invitation sent on request"), "send", "blue"),
        "invitation.request-refused": Label(_("Request refused"), "circle-x", "red"),
        "invitation.handed-over": Label(_("Invitation handed over"), "user-check"),
        "redemption.completed": Label(_("Invite Redemption"), "mail-opened", "green"),
        "redemption.undone": Label(_("Redemption undone"), "undo", "red"),
        "redemption.refused": Label(_("Redemption refused"), "circle-x", "red"),
        "contact.created": Label(_("Contact created"), "user-plus", "blue"),
        "contact.updated": Label(_("Contact changed"), "edit"),
        "contact.registered": Label(_("Contact registered"), "user-plus", "blue"),
        "contact.deactivated": Label(_("Contact deactivated"), "user-off", "red"),
        "contact.activated": Label(_("Contact activated"), "user-check", "green"),
        "contact.email-verified": Label(_("E-mail address confirmed"), "mail-check", "green"),
        "contact.email-change-asked": Label(_("Another e-mail address asked for"), "mail"),
        "contact.email-changed": Label(_("E-mail address changed"), "mail-check", "green"),
        "contact.account-assigned": Label(_("Account assigned"), "building"),
        "contact.roles-added": Label(_("Web roles given"), "shield-check"),
        "account.created": Label(_("Account created"), "building", "blue"),
        "account.updated": Label(_("Account changed"), "edit"),
        "account.assigned": Label(_("Account assigned"), "building", "green"),
        "account.deleted": Label(_("Account deleted"), "trash", "red"),
        "role.created": Label(_("Web role created"), "shield", "blue"),
        "role.updated": Label(_("Web role changed"), "edit"),
        "role.deleted": Label(_("Web role deleted"), "trash", "red"),
        "role.added": Label(_("Web role added"), "shield-check", "green"),
        "role.removed": Label(_("Web role removed"), "shield", "red"),
        "role.withheld": Label(_("Web role withheld"), "shield", "yellow"),
        "credential.created": Label(_("Sign-in created"), "key", "green"),
        "credential.password-changed": Label(_("Password changed"), "key"),
        "credential.password-reset": Label(_("Password reset"), "key"),
        "credential.reset-requested": Label(_("Password reset asked for"), "mail"),
        "credential.identity-linked": Label(_("Sign-in at a provider linked"), "link", "green"),
        "credential.passkey-added": Label(_("Passkey added"), "fingerprint", "green"),
        "credential.passkey-renamed": Label(_("Passkey renamed"), "fingerprint"),
        "credential.passkey-removed": Label(_("Passkey removed"), "fingerprint", "yellow"),
        "credential.passkey-copied": Label(_("Passkey refused: it may have been copied"), "alert-triangle", "red"),
        "credential.username-changed": Label(_("Username changed"), "key"),
        "credential.password-set": Label(_("Password set"), "key", "green"),
        "credential.temporary-password": Label(_("Temporary password set"), "key", "yellow"),
        "credential.password-removed": Label(_("Password removed"), "key", "yellow"),
        "credential.link-sent": Label(_("Set-password link sent"), "mail"),
        "credential.identity-removed": Label(_("Sign-in at a provider removed"), "plug", "yellow"),
        "credential.signed-out-there": Label(_("Signed out on one device"), "logout"),
        "credential.browser-forgotten": Label(_("Remembered browser forgotten"), "browser"),
        "credential.unlocked": Label(_("Sign-in unlocked"), "lock", "green"),
        "credential.signed-out": Label(_("Signed out everywhere"), "logout", "yellow"),
        "credential.removed": Label(_("Sign-in removed"), "key", "yellow"),
        "message.queued": Label(_("Message queued"), "mail"),
        "message.sent": Label(_("Message sent"), "mail-check", "green"),
        "message.deferred": Label(_("Message deferred"), "hourglass", "yellow"),
        "message.failed": Label(_("Message failed"), "mail-x", "red"),
        "message.bounced": Label(_("Message came back"), "mail-x", "red"),
        "message.retried": Label(_("Message tried again"), "refresh"),
        "message.cancelled": Label(_("Message cancelled"), "mail-x", "yellow"),
        "message.read": Label(_("Message read"), "eye", "yellow"),
        "template.created": Label(_("Template created"), "template", "blue"),
        "template.saved": Label(_("Text saved"), "edit", "blue"),
        "template.restored": Label(_("Older text restored"), "restore", "yellow"),
        "template.default": Label(_("Own text withdrawn"), "undo", "yellow"),
        "template.updated": Label(_("Template changed"), "edit"),
        "template.tested": Label(_("Test sent"), "send"),
        "template.activated": Label(_("Template activated"), "circle-check", "green"),
        "template.deactivated": Label(_("Template deactivated"), "ban", "red"),
        "workflow.started": Label(_("Workflow started"), "player-play", "blue"),
        "workflow.done": Label(_("Workflow done"), "circle-check", "green"),
        "workflow.failed": Label(_("Workflow failed"), "alert-circle", "red"),
        "workflow.run-again": Label(_("Workflow run again"), "refresh"),
        "workflow.cancelled": Label(_("Workflow cancelled"), "player-stop", "red"),
        "workflow.created": Label(_("Workflow created"), "sitemap", "blue"),
        "workflow.updated": Label(_("Workflow changed"), "edit"),
        "workflow.activated": Label(_("Workflow activated"), "circle-check", "green"),
        "workflow.deactivated": Label(_("Workflow deactivated"), "ban", "red"),
        "workflow.deleted": Label(_("Workflow deleted"), "trash", "red"),
        "note": Label(_("Note"), "notes"),
        "staff.added": Label(_("Person added"), "user-plus", "blue"),
        "staff.changed": Label(_("Person changed"), "edit"),
        "staff.deactivated": Label(_("Person deactivated"), "user-off", "red"),
        "staff.activated": Label(_("Person activated"), "user-check", "green"),
        "staff.link-created": Label(_("Set-up link made"), "link", "yellow"),
        "staff.set-up": Label(_("Password set through a set-up link"), "key", "green"),
        "staff.password-changed": Label(_("Password changed"), "key"),
        "staff.signed-out-everywhere": Label(_("Signed out everywhere"), "logout"),
        "staff.passkey-added": Label(_("Passkey added"), "fingerprint", "green"),
        "staff.passkey-renamed": Label(_("Passkey renamed"), "fingerprint"),
        "staff.passkey-removed": Label(_("Passkey removed"), "fingerprint", "yellow"),
        "staff.passkey-copied": Label(_("Passkey refused: it may have been copied"), "alert-triangle", "red"),
        "staff.signed-out-there": Label(_("Signed out on one device"), "logout"),
        "staff.unlocked": Label(_("Sign-in unlocked"), "lock", "green"),
        "staff.second-factor-on": Label(_("Second factor turned on"), "shield-check", "green"),
        "staff.second-factor-off": Label(_("Second factor turned off"), "shield", "yellow"),
        "staff.recovery-codes": Label(_("New recovery codes made"), "key", "yellow"),
        "staff.recovery-code-used": Label(_("Recovery code used"), "key", "yellow"),
        "staff.identity-linked": Label(_("Sign-in at a provider linked"), "link", "green"),
        "staff.identity-removed": Label(_("Sign-in at a provider removed"), "plug", "yellow"),
        "sign-in.code-failed": Label(_("Code of the second factor wrong"), "lock", "yellow"),
        "sign-in.stopped": Label(_("Signing in stopped after too many failures"), "lock", "red"),
        "sign-in.ok": Label(_("Signed in"), "login"),
        "sign-in.failed": Label(_("Signing in failed"), "lock", "yellow"),
        "sign-in.limited": Label(_("Signing in blocked for a while"), "lock", "red"),
        "sign-in.copied": Label(_("A copied cookie was used"), "alert-triangle", "red"),
        "redemption.codes-guessed": Label(_("Somebody is guessing codes: each one waits now"), "alert-triangle", "red"),
        "settings.updated": Label(_("Settings changed"), "settings"),
        "provider.created": Label(_("Sign-in provider added"), "plug", "blue"),
        "provider.updated": Label(_("Sign-in provider changed"), "plug"),
        "provider.moved": Label(_("Sign-in provider moved in the order"), "arrows-sort"),
        "provider.switched-on": Label(_("Sign-in provider switched on"), "player-play", "green"),
        "provider.switched-off": Label(_("Sign-in provider switched off"), "player-stop", "yellow"),
        "provider.deleted": Label(_("Sign-in provider deleted"), "trash", "red"),
    }
