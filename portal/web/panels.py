"""Places on a page that higher slices fill: a contact's page shows its invitations without knowing them."""

from collections.abc import Callable, Iterable

from flask import current_app
from markupsafe import Markup


def add_panel(app_panels: dict[str, list[Callable[..., str]]], place: str, panel: Callable[..., str]) -> None:
    """Let `panel` render into `place`, after those added before."""
    app_panels.setdefault(place, []).append(panel)


def panels(place: str, record: object) -> Iterable[Markup]:
    """What the slices above have to show at `place` for `record`, as safe markup."""
    for panel in current_app.extensions["panels"].get(place, []):
        yield Markup(panel(record))  # noqa: S704  (rendered by a template of ours)
