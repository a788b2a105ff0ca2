"""The outbox pages: what was sent, what waits, what failed, what the recipient sees, and what can be done about it."""

from portal.mail.views import acts as _acts  # noqa: F401  (its routes)
from portal.mail.views import pages as _pages  # noqa: F401
from portal.mail.views.blueprint import bp as bp
