"""Changing e-mail templates: texts and their versions, what surrounds them, checking, previewing, testing."""

from portal.email_templates.services.checking import check, refusals
from portal.email_templates.services.comparing import Compared, compare
from portal.email_templates.services.describing import activate, create, deactivate, describe
from portal.email_templates.services.finding import Finding, Texts
from portal.email_templates.services.previewing import SCHEMES, Preview, page_of, preview
from portal.email_templates.services.saving import back_to_default, restore, save
from portal.email_templates.services.testing import send_test

__all__ = [
    "SCHEMES",
    "Compared",
    "Finding",
    "Preview",
    "Texts",
    "activate",
    "back_to_default",
    "check",
    "compare",
    "create",
    "deactivate",
    "describe",
    "page_of",
    "preview",
    "refusals",
    "restore",
    "save",
    "send_test",
]
