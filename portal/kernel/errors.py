"""What a service raises; the web answers each with the status named here."""


class PortalError(Exception):
    """Something the person asked for cannot be done; `message` says why in plain words."""

    status = 400

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class Invalid(PortalError):
    """Typed values that cannot be accepted: messages by field name, shown beside the fields."""

    status = 422

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(" ".join(fields.values()))
        self.fields = fields


class NotFound(PortalError):
    """The record does not exist, or this person may not know that it does."""

    status = 404


class Forbidden(PortalError):
    """The person lacks the right."""

    status = 403


class Stale(PortalError):
    """Somebody saved the record after this person opened it."""

    status = 409


class Conflict(PortalError):
    """The record is not in a state that allows this."""

    status = 409


class Gone(PortalError):
    """A genuine link whose time is over."""

    status = 410


class TooFast(PortalError):
    """A rate limit; `retry_after` is in seconds."""

    status = 429

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after
