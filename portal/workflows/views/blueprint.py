"""The blueprint that all pages of workflows and their runs hang on."""

from portal.web.guard import staff_blueprint

bp = staff_blueprint("workflows", "portal.workflows.views")
