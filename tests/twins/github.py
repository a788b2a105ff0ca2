"""GitHub on the loopback interface: its real endpoints, and the people who have an account there."""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from portal.providers import discovery, presets
from portal.providers.models import Provider
from tests.twins.openid import CLIENT_ID, CLIENT_SECRET, add_provider
from tests.twins.web import Answer, Sent, WebTwin, redirect


class GitHubTwin(WebTwin):
    """GitHub. Whoever comes is signed in as `user` at once; `emails` are what `/user/emails` lists. `error`: the person
    is sent back with it. `grants_emails` off: the list answers 404, as for a token without that scope."""

    def __init__(self) -> None:
        self.user: dict[str, Any] = {}
        self.emails: list[dict[str, Any]] = []
        self.error = ""
        self.grants_emails = True
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: set[str] = set()
        super().__init__()
        self.sign_in("octavia", 583231, name="Octavia Cat")

    def sign_in(
        self, login: str, number: Any, *, name: str | None = None, email: str = "", verified: Any = True
    ) -> None:
        """Be this person from now on. Nobody's address is public: it stands in the list of addresses alone."""
        self.user = {"login": login, "id": number, "node_id": "MDQ6", "type": "User", "name": name, "email": None}
        address = email or f"{login}@example.org"
        self.emails = [
            {"email": f"{login}@users.noreply.example", "primary": False, "verified": True, "visibility": None},
            {"email": address, "primary": True, "verified": verified, "visibility": "private"},
        ]

    def provider(self, slug: str = "github", **more: Any) -> Provider:
        """A provider record that leads here, saved."""
        preset = presets.PRESETS["github"]
        usual = {
            "preset": preset.name,
            "kind": preset.kind,
            "caption": preset.caption,
            "mark": preset.mark,
            "issuer": f"{self.url}/login/oauth",
            "authorize_url": f"{self.url}/login/oauth/authorize",
            "token_url": f"{self.url}/login/oauth/access_token",
            "userinfo_url": f"{self.url}/user",
            "scopes": preset.scopes,
        }
        return add_provider(self, slug, **{**usual, **more})

    def answer(self, sent: Sent) -> Answer:
        if sent.path == "/login/oauth/authorize":
            return self._authorize(sent)
        if sent.path == "/login/oauth/access_token":
            return self._token(sent)
        if sent.headers.get("authorization", "").removeprefix("Bearer ") not in self._tokens:
            return Answer({"message": "Requires authentication"}, 401)
        if sent.path == "/user":
            return Answer(self.user)
        if sent.path == "/user/emails" and self.grants_emails:
            return Answer(self.emails)
        return Answer({"message": "Not Found"}, 404)

    def _authorize(self, sent: Sent) -> Answer:
        returned = {"state": sent.query.get("state", "")}
        if self.error:
            returned["error"] = self.error
        else:
            returned["code"] = secrets.token_hex(10)
            self._codes[returned["code"]] = sent.query
        return redirect(f"{sent.query['redirect_uri']}?{urlencode(returned)}")

    def _token(self, sent: Sent) -> Answer:
        """GitHub answers 200 even to a refusal, and in form encoding to those who do not ask for JSON."""
        asked = self._codes.pop(sent.form.get("code", ""), None)
        if (sent.form.get("client_id"), sent.form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            told = {"error": "incorrect_client_credentials"}
        elif asked is None or not _proves(sent.form.get("code_verifier", ""), asked.get("code_challenge")):
            told = {"error": "bad_verification_code"}
        else:
            token = f"gho_{secrets.token_hex(12)}"
            self._tokens.add(token)
            told = {"access_token": token, "scope": "read:user,user:email", "token_type": "bearer"}
        if sent.headers.get("accept") != "application/json":
            return Answer(urlencode(told), headers={"Content-Type": "application/x-www-form-urlencoded"})
        return Answer(told)


def _proves(verifier: str, challenge: str | None) -> bool:
    digest = hashlib.sha256(verifier.encode()).digest()
    return challenge in (None, base64.urlsafe_b64encode(digest).decode().rstrip("="))


@contextmanager
def running() -> Iterator[GitHubTwin]:
    """GitHub, until the block ends."""
    discovery.forget()
    twin = GitHubTwin()
    try:
        yield twin
    finally:
        twin.stop()
