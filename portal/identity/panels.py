"""What a contact's page has of their sign-in: the way to it."""

from flask import render_template

from portal.contacts.models import Contact


def credentials(contact: Contact) -> str:
    """The link to the page of the contact's sign-in."""
    return render_template("identity/_credentials_link.html", contact=contact)
