"""The first schema."""

import sqlalchemy as sa
from alembic import op

from portal.kernel.columns import UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.create_index("ix_account_name_key_id", ["name_key", "id"], unique=False)

    op.create_table(
        "invitation_code",
        sa.Column("lookup", sa.String(length=64), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("lookup", name=op.f("pk_invitation_code")),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("dedupe_key", sa.String(length=120), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("worker", sa.String(length=80), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_job_dedupe_key")),
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index(
            "ix_job_due",
            ["due_at", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'queued'"),
            postgresql_where=sa.text("state = 'queued'"),
        )
        batch_op.create_index(
            "ix_job_running",
            ["worker"],
            unique=False,
            sqlite_where=sa.text("state = 'running'"),
            postgresql_where=sa.text("state = 'running'"),
        )

    op.create_table(
        "journal_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("actor_kind", sa.String(length=10), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("actor_name", sa.String(length=250), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=True),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entry")),
    )
    with op.batch_alter_table("journal_entry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_journal_entry_action"), ["action"], unique=False)
        batch_op.create_index(batch_op.f("ix_journal_entry_at"), ["at"], unique=False)

    op.create_table(
        "key_in_use",
        sa.Column("key_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_key_in_use")),
    )
    op.create_table(
        "mail_pause",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("next_try_at", UTCDateTime(), nullable=False),
        sa.Column("answer", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_pause")),
    )
    op.create_table(
        "rate_limit",
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_limit")),
    )
    with op.batch_alter_table("rate_limit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rate_limit_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "server_session",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("audience", sa.String(length=10), nullable=False),
        sa.Column("user", sa.String(length=40), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("seen_at", UTCDateTime(), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=200), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_server_session")),
    )
    with op.batch_alter_table("server_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_server_session_seen_at"), ["seen_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_server_session_user"), ["user"], unique=False)

    op.create_table(
        "site_settings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_settings")),
    )
    op.create_table(
        "staff_member",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_key", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("signed_in_at", UTCDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_member")),
        sa.UniqueConstraint("email_key", name=op.f("uq_staff_member_email_key")),
    )
    op.create_table(
        "web_role",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("name_key", sa.String(length=300), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=False),
        sa.Column("managers_may_grant", sa.Boolean(), nullable=False),
        sa.Column("implicit", sa.String(length=15), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_role")),
        sa.UniqueConstraint("implicit", name=op.f("uq_web_role_implicit")),
        sa.UniqueConstraint("name_key", name=op.f("uq_web_role_name_key")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("seen_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
    )
    op.create_table(
        "workflow",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.String(length=300), nullable=False),
        sa.Column("primary_entity", sa.String(length=15), nullable=False),
        sa.Column("activated", sa.Boolean(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow")),
        sa.UniqueConstraint("key", name=op.f("uq_workflow_key")),
        sa.UniqueConstraint("name", name=op.f("uq_workflow_name")),
    )
    op.create_table(
        "contact",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("first_name", sa.String(length=100), nullable=False),
        sa.Column("last_name", sa.String(length=100), nullable=False),
        sa.Column("name_key", sa.String(length=260), nullable=False),
        sa.Column("email1", sa.String(length=254), nullable=True),
        sa.Column("email1_key", sa.String(length=254), nullable=True),
        sa.Column("email1_verified_at", UTCDateTime(), nullable=True),
        sa.Column("email2", sa.String(length=254), nullable=True),
        sa.Column("email3", sa.String(length=254), nullable=True),
        sa.Column("phone", sa.String(length=50), nullable=False),
        sa.Column("language", sa.String(length=5), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_contact_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact")),
    )
    with op.batch_alter_table("contact", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_contact_account_id"), ["account_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_contact_email1_key"), ["email1_key"], unique=False)
        batch_op.create_index("ix_contact_name_key_id", ["name_key", "id"], unique=False)
        batch_op.create_index(
            "uq_contact_verified_email",
            ["email1_key"],
            unique=True,
            sqlite_where=sa.text("email1_verified_at IS NOT NULL"),
            postgresql_where=sa.text("email1_verified_at IS NOT NULL"),
        )

    op.create_table(
        "journal_record",
        sa.Column("entry_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entry.id"], name=op.f("fk_journal_record_entry_id_journal_entry")
        ),
        sa.PrimaryKeyConstraint("entry_id", "kind", "record_id", name=op.f("pk_journal_record")),
    )
    with op.batch_alter_table("journal_record", schema=None) as batch_op:
        batch_op.create_index("ix_journal_record_timeline", ["kind", "record_id", "entry_id"], unique=False)

    op.create_table(
        "staff_set_up_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff_member.id"], name=op.f("fk_staff_set_up_link_staff_id_staff_member")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_set_up_link")),
        sa.UniqueConstraint("public_id", name=op.f("uq_staff_set_up_link_public_id")),
    )
    with op.batch_alter_table("staff_set_up_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_staff_set_up_link_staff_id"), ["staff_id"], unique=False)

    op.create_table(
        "contact_one_time_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=10), nullable=False),
        sa.Column("email_key", sa.String(length=254), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contact.id"], name=op.f("fk_contact_one_time_link_contact_id_contact")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_one_time_link")),
        sa.UniqueConstraint("public_id", name=op.f("uq_contact_one_time_link_public_id")),
    )
    with op.batch_alter_table("contact_one_time_link", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_contact_one_time_link_contact_id"), ["contact_id"], unique=False)

    op.create_table(
        "contact_web_role",
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.Column("web_role_id", sa.Integer(), nullable=False),
        sa.Column("granted_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_contact_web_role_contact_id_contact")),
        sa.ForeignKeyConstraint(
            ["web_role_id"], ["web_role.id"], name=op.f("fk_contact_web_role_web_role_id_web_role")
        ),
        sa.PrimaryKeyConstraint("contact_id", "web_role_id", name=op.f("pk_contact_web_role")),
    )
    with op.batch_alter_table("contact_web_role", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_contact_web_role_web_role_id"), ["web_role_id"], unique=False)

    op.create_table(
        "credential",
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(length=100), nullable=False),
        sa.Column("username_key", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("password_set_at", UTCDateTime(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_credential_contact_id_contact")),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_credential")),
        sa.UniqueConstraint("username_key", name=op.f("uq_credential_username_key")),
    )
    op.create_table(
        "invitation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_key", sa.String(length=200), nullable=False),
        sa.Column("type", sa.String(length=10), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.Column("code_lookup", sa.String(length=64), nullable=False),
        sa.Column("code_sealed", sa.Text(), nullable=False),
        sa.Column("code_hint", sa.String(length=2), nullable=False),
        sa.Column("link_version", sa.Integer(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.Column("inviter_id", sa.Integer(), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("workflow_id", sa.Integer(), nullable=True),
        sa.Column("redeemable_by", sa.String(length=10), nullable=False),
        sa.Column("max_redemptions", sa.Integer(), nullable=True),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("completed_at", UTCDateTime(), nullable=True),
        sa.Column("deactivated_at", UTCDateTime(), nullable=True),
        sa.Column("deactivated_why", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("redeemable_by IN ('invited', 'anyone')", name=op.f("ck_invitation_redeemable_by")),
        sa.CheckConstraint("type <> 'single' OR max_redemptions = 1", name=op.f("ck_invitation_single_is_one")),
        sa.CheckConstraint("type IN ('single', 'group')", name=op.f("ck_invitation_type")),
        sa.CheckConstraint(
            "max_redemptions IS NULL OR max_redemptions >= 1", name=op.f("ck_invitation_max_redemptions")
        ),
        sa.CheckConstraint(
            "used >= 0 AND (max_redemptions IS NULL OR used <= max_redemptions)", name=op.f("ck_invitation_seats")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_invitation_account_id_account")),
        sa.ForeignKeyConstraint(
            ["created_by"], ["staff_member.id"], name=op.f("fk_invitation_created_by_staff_member")
        ),
        sa.ForeignKeyConstraint(["inviter_id"], ["contact.id"], name=op.f("fk_invitation_inviter_id_contact")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff_member.id"], name=op.f("fk_invitation_owner_id_staff_member")),
        sa.ForeignKeyConstraint(["workflow_id"], ["workflow.id"], name=op.f("fk_invitation_workflow_id_workflow")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("code_lookup", name=op.f("uq_invitation_code_lookup")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("invitation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_invitation_account_id"), ["account_id"], unique=False)
        batch_op.create_index(
            "ix_invitation_completed_created_at",
            ["created_at", "id"],
            unique=False,
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_invitation_completed_expires_at",
            ["expires_at", "id"],
            unique=False,
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_invitation_completed_name_key",
            ["name_key", "id"],
            unique=False,
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NOT NULL"),
        )
        batch_op.create_index("ix_invitation_created_at_id", ["created_at", "id"], unique=False)
        batch_op.create_index("ix_invitation_expires_at_id", ["expires_at", "id"], unique=False)
        batch_op.create_index(
            "ix_invitation_inactive_created_at",
            ["created_at", "id"],
            unique=False,
            sqlite_where=sa.text("deactivated_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_invitation_inactive_expires_at",
            ["expires_at", "id"],
            unique=False,
            sqlite_where=sa.text("deactivated_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_invitation_inactive_name_key",
            ["name_key", "id"],
            unique=False,
            sqlite_where=sa.text("deactivated_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_invitation_inviter_id"), ["inviter_id"], unique=False)
        batch_op.create_index("ix_invitation_name_key_id", ["name_key", "id"], unique=False)
        batch_op.create_index(
            "ix_invitation_new_created_at",
            ["created_at", "id"],
            unique=False,
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NULL"),
        )
        batch_op.create_index(
            "ix_invitation_new_expires_at",
            ["expires_at", "id"],
            unique=False,
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NULL"),
        )
        batch_op.create_index(
            "ix_invitation_new_name_key",
            ["name_key", "id"],
            unique=False,
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NULL"),
        )
        batch_op.create_index(
            "ix_invitation_open_created_at",
            ["created_at", "id"],
            unique=False,
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_invitation_open_expires_at",
            ["expires_at", "id"],
            unique=False,
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_invitation_open_name_key",
            ["name_key", "id"],
            unique=False,
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_invitation_owner_id"), ["owner_id"], unique=False)

    op.create_table(
        "message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=True),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("about_kind", sa.String(length=30), nullable=True),
        sa.Column("about_id", sa.Integer(), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("dedupe_key", sa.String(length=120), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=True),
        sa.Column("message_id", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("worker", sa.String(length=80), nullable=True),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("to_address", sa.String(length=254), nullable=True),
        sa.Column("sender", sa.String(length=400), nullable=True),
        sa.Column("reply_to", sa.String(length=400), nullable=True),
        sa.Column("body_sealed", sa.Text(), nullable=True),
        sa.Column("answer", sa.String(length=500), nullable=False),
        sa.Column("possible_duplicate", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_message_contact_id_contact")),
        sa.ForeignKeyConstraint(["created_by"], ["staff_member.id"], name=op.f("fk_message_created_by_staff_member")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_member.id"], name=op.f("fk_message_staff_id_staff_member")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_message_dedupe_key")),
    )
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.create_index("ix_message_about", ["about_kind", "about_id", "contact_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_message_contact_id"), ["contact_id"], unique=False)
        batch_op.create_index(
            "ix_message_due",
            ["due_at", "id"],
            unique=False,
            sqlite_where=sa.text("state IN ('queued', 'deferred')"),
            postgresql_where=sa.text("state IN ('queued', 'deferred')"),
        )
        batch_op.create_index(
            "ix_message_sending",
            ["worker"],
            unique=False,
            sqlite_where=sa.text("state = 'sending'"),
            postgresql_where=sa.text("state = 'sending'"),
        )
        batch_op.create_index("ix_message_state", ["state", "id"], unique=False)

    op.create_table(
        "workflow_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("workflow_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.Column("cause_kind", sa.String(length=30), nullable=False),
        sa.Column("cause_id", sa.Integer(), nullable=False),
        sa.Column("invitation_id", sa.Integer(), nullable=True),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("done_steps", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("finished_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_workflow_run_contact_id_contact")),
        sa.ForeignKeyConstraint(["workflow_id"], ["workflow.id"], name=op.f("fk_workflow_run_workflow_id_workflow")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_run")),
    )
    with op.batch_alter_table("workflow_run", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_workflow_run_contact_id"), ["contact_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_workflow_run_invitation_id"), ["invitation_id"], unique=False)

    op.create_table(
        "invitation_web_role",
        sa.Column("invitation_id", sa.Integer(), nullable=False),
        sa.Column("web_role_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["invitation.id"], name=op.f("fk_invitation_web_role_invitation_id_invitation")
        ),
        sa.ForeignKeyConstraint(
            ["web_role_id"], ["web_role.id"], name=op.f("fk_invitation_web_role_web_role_id_web_role")
        ),
        sa.PrimaryKeyConstraint("invitation_id", "web_role_id", name=op.f("pk_invitation_web_role")),
    )
    with op.batch_alter_table("invitation_web_role", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_invitation_web_role_web_role_id"), ["web_role_id"], unique=False)

    op.create_table(
        "invited_contact",
        sa.Column("invitation_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_invited_contact_contact_id_contact")),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["invitation.id"], name=op.f("fk_invited_contact_invitation_id_invitation")
        ),
        sa.PrimaryKeyConstraint("invitation_id", "contact_id", name=op.f("pk_invited_contact")),
        sa.UniqueConstraint("public_id", name=op.f("uq_invited_contact_public_id")),
    )
    with op.batch_alter_table("invited_contact", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_invited_contact_contact_id"), ["contact_id"], unique=False)

    op.create_table(
        "redemption",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("invitation_id", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.Integer(), nullable=False),
        sa.Column("redeemed_at", UTCDateTime(), nullable=False),
        sa.Column("proof", sa.String(length=10), nullable=False),
        sa.Column("signed_in_by", sa.String(length=40), nullable=False),
        sa.Column("ip", sa.String(length=45), nullable=True),
        sa.Column("new_contact", sa.Boolean(), nullable=False),
        sa.Column("account_assigned", sa.Boolean(), nullable=False),
        sa.Column("account_before_id", sa.Integer(), nullable=True),
        sa.Column("roles_added", sa.JSON(), nullable=False),
        sa.Column("roles_withheld", sa.JSON(), nullable=False),
        sa.Column("undone_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_redemption_contact_id_contact")),
        sa.ForeignKeyConstraint(
            ["invitation_id"], ["invitation.id"], name=op.f("fk_redemption_invitation_id_invitation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption")),
    )
    with op.batch_alter_table("redemption", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_redemption_contact_id"), ["contact_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_redemption_redeemed_at"), ["redeemed_at"], unique=False)
        batch_op.create_index(
            "uq_redemption_invitation_contact",
            ["invitation_id", "contact_id"],
            unique=True,
            sqlite_where=sa.text("undone_at IS NULL"),
            postgresql_where=sa.text("undone_at IS NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("redemption", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_redemption_invitation_contact",
            sqlite_where=sa.text("undone_at IS NULL"),
            postgresql_where=sa.text("undone_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_redemption_redeemed_at"))
        batch_op.drop_index(batch_op.f("ix_redemption_contact_id"))

    op.drop_table("redemption")
    with op.batch_alter_table("invited_contact", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_invited_contact_contact_id"))

    op.drop_table("invited_contact")
    with op.batch_alter_table("invitation_web_role", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_invitation_web_role_web_role_id"))

    op.drop_table("invitation_web_role")
    with op.batch_alter_table("workflow_run", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_workflow_run_invitation_id"))
        batch_op.drop_index(batch_op.f("ix_workflow_run_contact_id"))

    op.drop_table("workflow_run")
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.drop_index("ix_message_state")
        batch_op.drop_index(
            "ix_message_sending",
            sqlite_where=sa.text("state = 'sending'"),
            postgresql_where=sa.text("state = 'sending'"),
        )
        batch_op.drop_index(
            "ix_message_due",
            sqlite_where=sa.text("state IN ('queued', 'deferred')"),
            postgresql_where=sa.text("state IN ('queued', 'deferred')"),
        )
        batch_op.drop_index(batch_op.f("ix_message_contact_id"))
        batch_op.drop_index("ix_message_about")

    op.drop_table("message")
    with op.batch_alter_table("invitation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_invitation_owner_id"))
        batch_op.drop_index(
            "ix_invitation_open_name_key",
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_invitation_open_expires_at",
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_invitation_open_created_at",
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_invitation_new_name_key",
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_invitation_new_expires_at",
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_invitation_new_created_at",
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NULL"),
        )
        batch_op.drop_index("ix_invitation_name_key_id")
        batch_op.drop_index(batch_op.f("ix_invitation_inviter_id"))
        batch_op.drop_index(
            "ix_invitation_inactive_name_key",
            sqlite_where=sa.text("deactivated_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_invitation_inactive_expires_at",
            sqlite_where=sa.text("deactivated_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_invitation_inactive_created_at",
            sqlite_where=sa.text("deactivated_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NOT NULL"),
        )
        batch_op.drop_index("ix_invitation_expires_at_id")
        batch_op.drop_index("ix_invitation_created_at_id")
        batch_op.drop_index(
            "ix_invitation_completed_name_key",
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_invitation_completed_expires_at",
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "ix_invitation_completed_created_at",
            sqlite_where=sa.text("deactivated_at IS NULL AND completed_at IS NOT NULL"),
            postgresql_where=sa.text("deactivated_at IS NULL AND completed_at IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_invitation_account_id"))

    op.drop_table("invitation")
    op.drop_table("credential")
    with op.batch_alter_table("contact_web_role", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_contact_web_role_web_role_id"))

    op.drop_table("contact_web_role")
    with op.batch_alter_table("contact_one_time_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_contact_one_time_link_contact_id"))

    op.drop_table("contact_one_time_link")
    with op.batch_alter_table("staff_set_up_link", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_staff_set_up_link_staff_id"))

    op.drop_table("staff_set_up_link")
    with op.batch_alter_table("journal_record", schema=None) as batch_op:
        batch_op.drop_index("ix_journal_record_timeline")

    op.drop_table("journal_record")
    with op.batch_alter_table("contact", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_contact_verified_email",
            sqlite_where=sa.text("email1_verified_at IS NOT NULL"),
            postgresql_where=sa.text("email1_verified_at IS NOT NULL"),
        )
        batch_op.drop_index("ix_contact_name_key_id")
        batch_op.drop_index(batch_op.f("ix_contact_email1_key"))
        batch_op.drop_index(batch_op.f("ix_contact_account_id"))

    op.drop_table("contact")
    op.drop_table("workflow")
    op.drop_table("worker")
    op.drop_table("web_role")
    op.drop_table("staff_member")
    op.drop_table("site_settings")
    with op.batch_alter_table("server_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_server_session_user"))
        batch_op.drop_index(batch_op.f("ix_server_session_seen_at"))

    op.drop_table("server_session")
    with op.batch_alter_table("rate_limit", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rate_limit_expires_at"))

    op.drop_table("rate_limit")
    op.drop_table("mail_pause")
    op.drop_table("key_in_use")
    with op.batch_alter_table("journal_entry", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_journal_entry_at"))
        batch_op.drop_index(batch_op.f("ix_journal_entry_action"))

    op.drop_table("journal_entry")
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_job_running", sqlite_where=sa.text("state = 'running'"), postgresql_where=sa.text("state = 'running'")
        )
        batch_op.drop_index(
            "ix_job_due", sqlite_where=sa.text("state = 'queued'"), postgresql_where=sa.text("state = 'queued'")
        )

    op.drop_table("job")
    op.drop_table("invitation_code")
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_index("ix_account_name_key_id")

    op.drop_table("account")
