"""What timelines show of workflow runs beside their words: *Run again*."""

from collections.abc import Sequence

from flask import has_request_context, url_for
from flask_babel import gettext as _

from portal.journal.queries import Line
from portal.staff.permissions import Permission
from portal.web.guard import may
from portal.workflows import queries


def timeline_actions(lines: Sequence[Line]) -> dict[int, Sequence[tuple[str, str]]]:
    """*Run again* beside the latest failure of each run that has failed, for those who may."""
    latest: dict[int, int] = {}
    for line in lines:
        if line.action == "workflow.failed" and isinstance(line.detail.get("run_id"), int):
            latest[line.detail["run_id"]] = max(line.id, latest.get(line.detail["run_id"], 0))
    if not latest or not has_request_context() or not may(Permission.CREATE):
        return {}
    failed = queries.failed_among(latest)
    return {
        line_id: [(url_for("workflows.run_again", run_id=run_id), _("Run again"))]
        for run_id, line_id in latest.items()
        if run_id in failed
    }
