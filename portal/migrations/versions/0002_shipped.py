"""What ships with the portal: the two implicit web roles and the two workflows."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from portal.kernel.columns import UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROLES = (
    ("Authenticated Users", "authenticated"),
    ("Anonymous Users", "anonymous"),
)
WORKFLOWS = (
    (
        "welcome-email",
        "Welcome e-mail",
        "Sends the new member a welcome message.",
        [{"type": "send_email", "template": "welcome"}],
    ),
    (
        "timeline-note",
        "Note on the timeline",
        "Writes a note on the contact's timeline.",
        [{"type": "note", "text": "Joined through an invitation."}],
    ),
)


def upgrade() -> None:
    now = datetime.now(UTC)
    roles = sa.table(
        "web_role",
        sa.column("name", sa.String),
        sa.column("name_key", sa.String),
        sa.column("description", sa.String),
        sa.column("managers_may_grant", sa.Boolean),
        sa.column("implicit", sa.String),
        sa.column("created_at", UTCDateTime),
        sa.column("updated_at", UTCDateTime),
        sa.column("version", sa.Integer),
    )
    rows = [
        {
            "name": name,
            "name_key": name.casefold(),
            "description": "",
            "managers_may_grant": False,
            "implicit": implicit,
            "created_at": now,
            "updated_at": now,
            "version": 1,
        }
        for name, implicit in ROLES
    ]
    op.bulk_insert(roles, rows)
    workflows = sa.table(
        "workflow",
        sa.column("key", sa.String),
        sa.column("name", sa.String),
        sa.column("description", sa.String),
        sa.column("primary_entity", sa.String),
        sa.column("activated", sa.Boolean),
        sa.column("steps", sa.JSON),
    )
    op.bulk_insert(
        workflows,
        [
            {
                "key": key,
                "name": name,
                "description": description,
                "primary_entity": "contact",
                "activated": True,
                "steps": steps,
            }
            for key, name, description, steps in WORKFLOWS
        ],
    )


def downgrade() -> None:
    op.execute("DELETE FROM workflow WHERE key IN ('welcome-email', 'timeline-note')")
    op.execute("DELETE FROM web_role WHERE implicit IS NOT NULL")
