"""Mailed links are built from the configured address and from nothing that a request says."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.clients import Client

EVIL = "evil.example"


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "host", [EVIL, "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:80", "localhost@evil.example"]
)
def test_another_host_is_refused(client: Client, host: str) -> None:
    for url in ("/", "/redeem", "/staff/sign-in", "/nowhere"):
        response = client.get(url, headers={"Host": host})
        assert response.status_code == 400
        assert EVIL not in response.get_data(as_text=True)


@pytest.mark.sqlite_only
def test_headers_that_name_another_host_are_not_believed(client: Client) -> None:
    told = {
        "X-Forwarded-Host": EVIL,
        "X-Host": EVIL,
        "Forwarded": f"host={EVIL};proto=https",
        "X-Forwarded-Proto": "https",
        "X-Original-URL": "/staff/",
        "X-Rewrite-URL": "/staff/",
    }
    for url in ("/", "/redeem", "/staff/sign-in", "/forgot-password"):
        response = client.get(url, headers=told)
        assert response.status_code in (200, 303)
        assert EVIL not in response.get_data(as_text=True)
        assert EVIL not in str(response.headers)


@pytest.mark.sqlite_only
def test_the_sign_in_leads_nowhere_else(
    app: Flask, sign_in_as: Callable[[str], Client], new_client: Callable[[], Client]
) -> None:
    from tests.support import make

    staff = make.make_staff("owner")
    hostile = [
        f"https://{EVIL}",
        f"//{EVIL}",
        f"///{EVIL}",
        f"/\\{EVIL}",
        f"\\\\{EVIL}",
        f"/\t/{EVIL}",
        f"\t//{EVIL}",
        f" //{EVIL}",
        f"/\n/{EVIL}",
        f"https:{EVIL}",
        f"https:/{EVIL}",
        "javascript:alert(1)",
        "data:text/html,x",
        f"/%09/{EVIL}",
        f"/.//{EVIL}",
        f"http://localhost@{EVIL}",
        f"//localhost:80@{EVIL}/staff/",
        "/nowhere",
        "/static/favicon.svg",
        "http://[",
    ]
    for target in hostile:
        browser = new_client()
        url = "/staff/sign-in"
        page = browser.get(url, query_string={"next": target})
        assert EVIL not in str(page.headers)
        token = browser.token(url)
        response = browser.post(
            url,
            query_string={"next": target},
            data={"email": staff.email, "password": make.PASSWORD, "csrf_token": token, "next": target},
        )
        assert response.status_code == 303, target
        assert response.headers["Location"] in ("/staff/", "http://localhost/staff/"), target
