"""What a picker offers."""

from typing import NamedTuple


class Option(NamedTuple):
    """Something a picker offers; `hint` tells two of the same label apart."""

    value: int
    label: str
    hint: str = ""
