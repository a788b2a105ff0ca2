"""What a provider said of the person who signed in there."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Claims:
    """One sign-in at a provider, checked. The identity is (issuer, subject) and nothing else.

    `email` is what the provider calls theirs; `email_proven` is true only where the provider said so with a real
    `true` and is trusted for e-mail on this site: nothing else may be taken for a proven address. `id_token` is kept
    for signing out at the provider, and only there.
    """

    provider_id: int
    slug: str
    issuer: str
    subject: str
    email: str = ""
    email_proven: bool = False
    first_name: str = ""
    last_name: str = ""
    language: str = ""
    id_token: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """The full name, else the address, else nothing."""
        return f"{self.first_name} {self.last_name}".strip() or self.email
