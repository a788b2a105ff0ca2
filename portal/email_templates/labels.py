"""What placeholders, languages and kinds of e-mail templates are called, and what each kind cannot do without."""

from typing import NamedTuple

from flask_babel import gettext as _

from portal.mail.placeholders import KNOWN, LONG

OWN = "message"
"""The kind of templates that a site makes itself."""
DOORS = ("link", "code")
NEED_A_DOOR = frozenset(
    {
        *("invitation", "reminder", "reset-password", "set-password", "confirm-email", "change-email"),
        "second-factor",
    }
)
"""Messages that are of no use without their link or code."""


class Placeholder(NamedTuple):
    """One placeholder of a kind. `snippet` goes into a text, `html` into the HTML; both hold a fallback where the value
    may be missing."""

    name: str
    meaning: str
    snippet: str
    html: str


def palette(kind: str) -> list[Placeholder]:
    """What a template of this kind can show."""
    meanings, fallbacks = _meanings(), _fallbacks()
    found = []
    for name in KNOWN.get(kind, ()):
        shown = f'{name} | join: ", "' if name in ("role_names", "items") else name
        if name in fallbacks:
            shown += f' | default: "{fallbacks[name]}"'
        lines = f"{name} | newline_to_br" if name in LONG else shown
        meaning = meanings.get(name) or name.replace("_", " ")
        found.append(Placeholder(name, meaning, "{{ " + shown + " }}", "{{ " + lines + " }}"))
    return found


def doors(kind: str) -> list[str]:
    """The placeholders of a kind that let its reader do what the message is about."""
    return [name for name in DOORS if name in KNOWN.get(kind, ())]


def consequence(kind: str) -> str:
    """What does not happen while a template of this kind is deactivated."""
    return {
        "invitation": _("No invitation can be sent, and invitations that wait in the outbox are cancelled."),
        "reminder": _("No reminder of an invitation is sent."),
        "redeemed": _("Owners are not told at once that an invitation was accepted."),
        "declined": _("Owners are not told at once that an invitation was declined."),
        "request": _("Owners are not told at once that somebody asked for a new invitation."),
        "digest": _("Owners get no daily digest."),
        "confirm-email": _("Nobody can confirm an e-mail address."),
        "change-email": _("Nobody can change their e-mail address."),
        "reset-password": _("Nobody who forgot a password can choose a new one."),
        "set-password": _("Nobody can be sent a link to choose a first password."),
        "second-factor": _("Contacts who need a code by e-mail to sign in cannot sign in."),
        "password-changed": _("Contacts are not warned when their password is changed."),
        "sign-in-changed": _("Contacts are not warned when a way to sign in is added or removed."),
        "sign-in-replaced": _("Contacts are not warned when an unconfirmed sign-in is replaced."),
        "staff-sign-in-changed": _("Staff members are not warned when their sign-in changes."),
    }.get(kind, _("A workflow that sends it stops at that step and says why."))


def _meanings() -> dict[str, str]:
    return {
        "site_name": _("The name of this site"),
        "inviter_name": _("Who invites: the inviter, else the owner"),
        "owner_name": _("The owner of the invitation"),
        "contact_name": _("The contact's full name"),
        "contact_first_name": _("The contact's first name"),
        "name": _("The first name of whom it is written to"),
        "invitation_name": _("The name of the invitation"),
        "link": _("The link that the message is about"),
        "code": _("The code, for those who cannot open the link"),
        "redeem_url": _("The page where the code is entered"),
        "expires_text": _("The last day, with the time zone; nothing where there is no end"),
        "account_name": _("The account the contact belongs to"),
        "role_names": _("The web roles, a list"),
        "personal_message": _("The personal message of the invitation, several lines"),
        "minutes": _("For how many minutes the link or code holds"),
        "hours": _("For how many hours the link holds"),
        "when": _("When it happened"),
        "words": _("What the contact wrote, several lines"),
        "items": _("What happened, a list of lines"),
        "email": _("The e-mail address it is about"),
        "what": _("What was changed"),
    }


def _fallbacks() -> dict[str, str]:
    return {
        "contact_name": _("you"),
        "contact_first_name": _("you"),
        "name": _("you"),
        "account_name": _("your organisation"),
        "role_names": _("no special rights"),
        "expires_text": _("no end date"),
        "invitation_name": _("your invitation"),
    }
