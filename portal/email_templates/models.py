"""E-mail templates and the versions of their texts."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base


class EmailTemplate(Base):
    """A template. `key` is the name that code and files know it by; `kind` says which placeholders it has.

    A shipped one (`shipped`) has its texts in `templates/mail/<language>/<key>.*` until somebody saves a version. One
    that is not active sends nothing. `sender` is its own From address at the site's domain, or None.
    """

    __tablename__ = "email_template"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(String(300), default="")
    shipped: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    sender: Mapped[str | None] = mapped_column(String(254))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)


class TemplateVersion(Base):
    """One saved text of a template in one language; the highest number is in force. Rows are never changed.

    `default`: the template went back to the shipped text with this version; the texts are those shipped at that time,
    kept for comparing, and what is sent is read from the files.
    """

    __tablename__ = "email_template_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    template_id: Mapped[int] = mapped_column(ForeignKey("email_template.id"))
    language: Mapped[str] = mapped_column(String(5))
    number: Mapped[int]
    subject: Mapped[str] = mapped_column(String(300))
    html: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    default: Mapped[bool] = mapped_column(default=False)
    note: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))

    __table_args__ = (UniqueConstraint("template_id", "language", "number"),)
