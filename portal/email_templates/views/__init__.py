"""The pages of e-mail templates."""

from portal.email_templates.views import editing, index, standing, tests, versions
from portal.email_templates.views.blueprint import bp, public

__all__ = ["bp", "editing", "index", "public", "standing", "tests", "versions"]
