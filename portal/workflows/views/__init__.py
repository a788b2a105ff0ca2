"""The pages of workflows and their runs; importing this binds all of them to the blueprint."""

from portal.workflows.views import builder, life, record, runs, starting
from portal.workflows.views.blueprint import bp

__all__ = ["bp", "builder", "life", "record", "runs", "starting"]
