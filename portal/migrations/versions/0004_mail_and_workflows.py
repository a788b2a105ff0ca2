"""Templates with versions, workflows with drafts, declining, requests, reminders."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from portal.kernel.columns import UTCDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TEMPLATES = (
    ("invitation", "Invitation", "The invitation with its link and its code."),
    ("reminder", "Reminder", "Reminds somebody of an invitation that waits."),
    ("redeemed", "Invitation accepted", "Tells the owner of an invitation that somebody accepted it."),
    ("declined", "Invitation declined", "Tells the owner of an invitation that somebody declined it."),
    ("request", "Request for a new invitation", "Tells the owner that somebody with a dead link asked for a new one."),
    ("digest", "Daily digest", "What happened to an owner's invitations in a day."),
    ("welcome", "Welcome", "Greets a new member; sent by the workflow of that name."),
    ("confirm-email", "Confirm e-mail", "The link that confirms an address."),
    ("change-email", "Change e-mail", "The link that confirms a new address."),
    ("reset-password", "Reset password", "The link to choose a new password."),
    ("set-password", "Set password", "The link to choose a first password."),
    ("second-factor", "Sign-in code", "The code that is typed after the password."),
    ("password-changed", "Password changed", "Says that a password was changed."),
    ("sign-in-changed", "Sign-in changed", "Says that a way to sign in was added or removed."),
    ("sign-in-replaced", "Sign-in replaced", "Says that an unconfirmed sign-in was replaced."),
    ("staff-sign-in-changed", "Sign-in of staff changed", "Tells staff members that their sign-in changed."),
)


def upgrade() -> None:
    op.create_table(
        "email_template",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.String(length=300), nullable=False),
        sa.Column("shipped", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("sender", sa.String(length=254), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_template")),
        sa.UniqueConstraint("key", name=op.f("uq_email_template_key")),
    )
    op.create_table(
        "email_template_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("template_id", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("default", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["created_by"], ["staff_member.id"], name=op.f("fk_email_template_version_created_by_staff_member")
        ),
        sa.ForeignKeyConstraint(
            ["template_id"], ["email_template.id"], name=op.f("fk_email_template_version_template_id_email_template")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_template_version")),
        sa.UniqueConstraint(
            "template_id", "language", "number", name=op.f("uq_email_template_version_template_id_language_number")
        ),
    )
    op.create_table(
        "invitation_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("invitation_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.Column("asked_at", UTCDateTime(), nullable=False),
        sa.Column("decision", sa.String(length=10), nullable=False),
        sa.Column("decided_at", UTCDateTime(), nullable=True),
        sa.Column("decided_by", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_invitation_request_contact_id_contact")),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["staff_member.id"], name=op.f("fk_invitation_request_decided_by_staff_member")
        ),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["invitation.id"], name=op.f("fk_invitation_request_invitation_id_invitation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation_request")),
    )
    with op.batch_alter_table("invitation_request", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_invitation_request_contact_id"), ["contact_id"], unique=False)
        batch_op.create_index(
            "uq_invitation_request_open",
            ["invitation_id", "contact_id"],
            unique=True,
            sqlite_where=sa.text("decision = ''"),
            postgresql_where=sa.text("decision = ''"),
        )

    op.create_table(
        "mail_pace",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("next_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_pace")),
    )
    op.create_table(
        "workflow_run_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=30), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["workflow_run.id"], name=op.f("fk_workflow_run_step_run_id_workflow_run")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_run_step")),
        sa.UniqueConstraint("run_id", "position", name=op.f("uq_workflow_run_step_run_id_position")),
    )
    with op.batch_alter_table("invitation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("language", sa.String(length=5), nullable=True))
        batch_op.add_column(sa.Column("message", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("reminders", sa.JSON(), server_default="{}", nullable=False))

    with op.batch_alter_table("invited_contact", schema=None) as batch_op:
        batch_op.add_column(sa.Column("declined_at", UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("declined_words", sa.String(length=500), server_default="", nullable=False))

    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.add_column(sa.Column("template_version_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("bounced_at", UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("history", sa.JSON(), server_default="[]", nullable=False))
        batch_op.create_index("ix_message_created_at", ["created_at"], unique=False)
        batch_op.create_index(
            "ix_message_bounced",
            ["id"],
            unique=False,
            sqlite_where=sa.text("bounced_at IS NOT NULL"),
            postgresql_where=sa.text("bounced_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_message_template_version",
            ["template_version_id"],
            unique=False,
            sqlite_where=sa.text("template_version_id IS NOT NULL"),
            postgresql_where=sa.text("template_version_id IS NOT NULL"),
        )

    with op.batch_alter_table("redemption", schema=None) as batch_op:
        batch_op.add_column(sa.Column("undone_by", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("account_id", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE redemption SET account_id = (SELECT account_id FROM invitation WHERE id = redemption.invitation_id)"
    )

    with op.batch_alter_table("staff_member", schema=None) as batch_op:
        batch_op.add_column(sa.Column("notices", sa.String(length=10), server_default="at_once", nullable=False))

    with op.batch_alter_table("workflow", schema=None) as batch_op:
        batch_op.add_column(sa.Column("draft", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("number", sa.Integer(), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("trigger", sa.String(length=30), server_default="", nullable=False))
        batch_op.add_column(sa.Column("activated_by", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("activated_at", UTCDateTime(), nullable=True))
        batch_op.add_column(sa.Column("version", sa.Integer(), server_default="1", nullable=False))
        batch_op.create_foreign_key(
            batch_op.f("fk_workflow_activated_by_staff_member"), "staff_member", ["activated_by"], ["id"]
        )

    with op.batch_alter_table("workflow_run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("number", sa.Integer(), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("depth", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("created_by", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("activated_by", sa.Integer(), nullable=True))
        batch_op.alter_column("contact_id", existing_type=sa.INTEGER(), nullable=True)
        for name in ("created_by", "activated_by"):
            batch_op.create_foreign_key(
                batch_op.f(f"fk_workflow_run_{name}_staff_member"), "staff_member", [name], ["id"]
            )
        batch_op.create_index("ix_workflow_run_workflow_id_id", ["workflow_id", "id"])
        batch_op.create_index(
            "ix_workflow_run_not_done",
            ["state", "id"],
            sqlite_where=sa.text("state <> 'done'"),
            postgresql_where=sa.text("state <> 'done'"),
        )

    _ship(datetime.now(UTC))


def _ship(now: datetime) -> None:
    """The templates, whose texts are in the files, and the workflow behind *Send Invitation*."""
    templates = sa.table(
        "email_template",
        *(sa.column(name) for name in ("key", "kind", "name", "description")),
        sa.column("shipped", sa.Boolean),
        sa.column("active", sa.Boolean),
        sa.column("created_at", UTCDateTime),
        sa.column("updated_at", UTCDateTime),
        sa.column("version", sa.Integer),
    )
    stamps = {"shipped": True, "active": True, "created_at": now, "updated_at": now, "version": 1}
    rows = [
        {"key": key, "kind": key, "name": name, "description": description, **stamps}
        for key, name, description in TEMPLATES
    ]
    op.bulk_insert(templates, rows)
    workflows = sa.table(
        "workflow",
        *(sa.column(name) for name in ("key", "name", "description", "primary_entity")),
        sa.column("activated", sa.Boolean),
        sa.column("steps", sa.JSON),
    )
    sending = {
        "key": "send-invitation",
        "name": "Send Invitation",
        "description": "Mails an invitation to everybody it invites.",
        "primary_entity": "invitation",
        "activated": True,
        "steps": [{"type": "send_email", "template": "invitation"}],
    }
    op.bulk_insert(workflows, [sending])


def downgrade() -> None:
    op.execute("DELETE FROM workflow_run_step")
    op.execute("DELETE FROM workflow_run WHERE contact_id IS NULL")
    op.execute("DELETE FROM workflow WHERE key = 'send-invitation'")
    with op.batch_alter_table("workflow_run", schema=None) as batch_op:
        batch_op.drop_index("ix_workflow_run_not_done")
        batch_op.drop_index("ix_workflow_run_workflow_id_id")
        batch_op.drop_constraint(batch_op.f("fk_workflow_run_created_by_staff_member"), type_="foreignkey")
        batch_op.drop_constraint(batch_op.f("fk_workflow_run_activated_by_staff_member"), type_="foreignkey")
        batch_op.alter_column("contact_id", existing_type=sa.INTEGER(), nullable=False)
        batch_op.drop_column("created_by")
        batch_op.drop_column("activated_by")
        batch_op.drop_column("depth")
        batch_op.drop_column("number")

    with op.batch_alter_table("workflow", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_workflow_activated_by_staff_member"), type_="foreignkey")
        batch_op.drop_column("version")
        batch_op.drop_column("activated_at")
        batch_op.drop_column("activated_by")
        batch_op.drop_column("trigger")
        batch_op.drop_column("number")
        batch_op.drop_column("draft")

    with op.batch_alter_table("staff_member", schema=None) as batch_op:
        batch_op.drop_column("notices")

    with op.batch_alter_table("redemption", schema=None) as batch_op:
        batch_op.drop_column("account_id")
        batch_op.drop_column("undone_by")

    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.drop_index("ix_message_template_version")
        batch_op.drop_index(
            "ix_message_bounced",
            sqlite_where=sa.text("bounced_at IS NOT NULL"),
            postgresql_where=sa.text("bounced_at IS NOT NULL"),
        )
        batch_op.drop_index("ix_message_created_at")
        batch_op.drop_column("history")
        batch_op.drop_column("bounced_at")
        batch_op.drop_column("template_version_id")

    with op.batch_alter_table("invited_contact", schema=None) as batch_op:
        batch_op.drop_column("declined_words")
        batch_op.drop_column("declined_at")

    with op.batch_alter_table("invitation", schema=None) as batch_op:
        batch_op.drop_column("reminders")
        batch_op.drop_column("message")
        batch_op.drop_column("language")

    op.drop_table("mail_pace")
    op.drop_table("workflow_run_step")
    with op.batch_alter_table("invitation_request", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_invitation_request_open",
            sqlite_where=sa.text("decision = ''"),
            postgresql_where=sa.text("decision = ''"),
        )
        batch_op.drop_index(batch_op.f("ix_invitation_request_contact_id"))

    op.drop_table("invitation_request")
    op.drop_table("email_template_version")
    op.drop_table("email_template")
