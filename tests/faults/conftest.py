"""The SMTP twin for tests of faults."""

from collections.abc import Iterator

import pytest

from tests.twins.smtp import SmtpTwin, running


@pytest.fixture
def smtp() -> Iterator[SmtpTwin]:
    """A real SMTP server on the loopback interface."""
    with running() as twin:
        yield twin
