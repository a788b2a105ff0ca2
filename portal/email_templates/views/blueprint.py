"""The blueprints of the e-mail templates' pages, and what their views share."""

from flask import Blueprint, request

from portal.contacts.services import LANGUAGES
from portal.web.guard import staff_blueprint

bp = staff_blueprint("email_templates", __name__, "/email-templates")
public = Blueprint("template_tests", __name__)


def asked_language() -> str:
    """The language that the address names, else English."""
    asked = request.args.get("language", "")
    return asked if asked in LANGUAGES else LANGUAGES[0]
