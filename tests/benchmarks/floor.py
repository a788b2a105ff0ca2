"""The floor: hand-written SQL and a minimal template behind the same server, showing the same rows as the list."""

import os
import sqlite3
import threading
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qs

from jinja2 import DictLoader, Environment

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

PAGE = 50
COLUMNS = "i.id, i.name, i.type, i.created_at, i.expires_at, i.sent_at, i.used, i.max_redemptions, s.name"
ORDERS = {"created_at": "DESC", "expires_at": "ASC"}
LIST = """<!doctype html><html lang="en"><title>Invitations</title><table>{% for row in rows %}<tr>
{% for cell in row %}<td>{{ cell if cell is not none else "" }}</td>{% endfor %}</tr>{% endfor %}</table>
{% if rows %}<a href="?value={{ rows[-1][3] | urlencode }}&amp;id={{ rows[-1][0] }}">next</a>{% endif %}</html>"""
TEMPLATES = Environment(loader=DictLoader({"list": LIST}), autoescape=True)
_local = threading.local()


def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
    """One page of open invitations; `order`, and `value` with `id` for the page after."""
    asked = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    order = asked.get("order", "created_at")
    way = ORDERS[order]
    where = ""
    parameters: list[str | int] = []
    if "id" in asked:
        where = f"AND (i.{order}, i.id) {'<' if way == 'DESC' else '>'} (?, ?)"
        parameters = [asked["value"], int(asked["id"])]
    rows = _connection().execute(
        f"SELECT {COLUMNS} FROM invitation i JOIN staff_member s ON s.id = i.owner_id "
        "WHERE i.deactivated_at IS NULL AND i.completed_at IS NULL AND i.sent_at IS NOT NULL "
        f"{where} ORDER BY i.{order} {way}, i.id {way} LIMIT {PAGE}",
        parameters,
    )
    body = TEMPLATES.get_template("list").render(rows=rows.fetchall()).encode()
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(body)))])
    return [body]


def _connection() -> sqlite3.Connection:
    if not hasattr(_local, "connection"):
        _local.connection = sqlite3.connect(os.environ["FLOOR_DATABASE"])
    return cast(sqlite3.Connection, _local.connection)
