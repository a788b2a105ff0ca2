"""What the pages of accounts and web roles show of contacts, which they do not know."""

from flask import render_template

from portal.accounts.models import Account
from portal.contacts import queries
from portal.kernel import paging
from portal.roles.models import WebRole


def of_account(account: Account) -> str:
    """The first 50 contacts of an account, and the way to the rest."""
    filters = queries.Filters(show="all", account_id=account.id)
    page = queries.page(filters, "")
    total = queries.count(filters) if page.after else len(page.rows)
    return render_template(
        "contacts/_of_account.html",
        account=account,
        rows=page.rows,
        name_of=queries.display_name,
        more=page.after,
        total=total,
        counted=paging.COUNTED,
    )


def of_role(role: WebRole) -> str:
    """How many contacts have a web role."""
    return render_template("contacts/_of_role.html", role=role, total=queries.with_role(role.id))
