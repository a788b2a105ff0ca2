"""Why the portal cannot start."""


class CannotServe(Exception):
    """The portal cannot start; the text is one line for the operator."""
