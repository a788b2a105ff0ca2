"""The commands of `portal`."""

import os
import sys
import tomllib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click
from flask import Flask
from flask.cli import FlaskGroup, NoAppException

from portal.config import BadSettings, Settings, load
from portal.serving.faults import CannotServe

P = ParamSpec("P")
R = TypeVar("R")
HOST, PORT = "127.0.0.1", 5000


class Refused(NoAppException):
    """One line per fault on standard error, exit code 1."""

    exit_code = 1

    def show(self, file: object = None) -> None:
        click.echo(self.format_message(), err=True)


def refuses(command: Callable[P, R]) -> Callable[P, R]:
    """Tell what a command raises as plain lines."""

    @wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        from portal.kernel.errors import Invalid, PortalError

        try:
            return command(*args, **kwargs)
        except BadSettings as fault:
            raise Refused("\n".join(fault.faults)) from fault
        except CannotServe as fault:
            raise Refused(str(fault)) from fault
        except Invalid as fault:
            raise Refused("\n".join(fault.fields.values())) from fault
        except PortalError as fault:
            raise Refused(fault.message) from fault

    return told


@refuses
def _app(*, make_secrets: bool = False) -> Flask:
    """The application for a command."""
    from portal.app import create_app
    from portal.web import logs

    logs.configure()
    os.umask(0o077)  # database and keys are nobody else's to read
    return create_app(_settings(make_secrets=make_secrets))


def _settings(*, make_secrets: bool) -> Settings:
    try:
        return load(make_secrets=make_secrets)
    except OSError as fault:
        raise Refused(f"PORTAL_INSTANCE: {fault.filename}: {fault.strerror}") from fault


@click.command()
@click.option("--host", default=HOST, show_default=True, help="Address to listen on.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Web processes.")
@refuses
def serve(host: str, port: int, workers: int) -> None:
    """Migrate, then serve the pages and do the work beside them."""
    from portal.serving import announcing, database, pages, watching

    pages.check_port(host, port)
    _follow(host, port)
    app = _app(make_secrets=True)
    database.bring_up_to_date(app)
    ready = announcing.announcement(app)
    watching.supervise(host, port, workers, ready=lambda: click.echo(ready))


@click.command()
@click.option("--host", default=HOST, show_default=True, help="Address to listen on.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@refuses
def web(host: str, port: int, workers: int) -> None:
    """Serve the pages only."""
    from portal.serving import database, pages

    _follow(host, port)
    app = _app()
    database.check_up_to_date(app)
    database.take_over_providers(app)
    pages.serve(app, host, port, workers)


@click.command()
@refuses
def worker() -> None:
    """Do the work only: jobs and mail."""
    from portal.serving import database, working

    app = _app()
    database.check_up_to_date(app)
    working.work(app)


@click.command()
@refuses
def doctor() -> None:
    """Check configuration, database, migrations, queue and mail; exit 1 on a fault."""
    from portal.serving import diagnosis

    sound = True
    for check in diagnosis.checks(_app()):
        sound = sound and check.good
        click.echo(f"{'ok   ' if check.good else 'FAULT'}  {check.name}: {check.words}")
    if not sound:
        sys.exit(1)


@click.group()
def staff() -> None:
    """Staff members."""


@staff.command("add")
@click.argument("email")
@click.option("--name", required=True, help="Their name.")
@click.option("--role", required=True, type=click.Choice(["owner", "manager", "editor", "viewer"]))
@click.option("--password-stdin", is_flag=True, help="Read their password from standard input.")
@refuses
def add_staff(email: str, name: str, role: str, password_stdin: bool) -> None:
    """Add a staff member; without a password a one-time set-up link is printed."""
    from portal.serving import database, people

    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    app = _app(make_secrets=True)
    database.bring_up_to_date(app)
    with app.app_context():
        click.echo(people.add(email, name, role, password))


@staff.command("link")
@click.argument("email")
@click.option("--reset-second-factor", is_flag=True, help="They lost their authenticator app and recovery codes.")
@refuses
def link_staff(email: str, reset_second_factor: bool) -> None:
    """Print a new one-time set-up link for a staff member who cannot sign in."""
    from portal.serving import database, people

    app = _app()
    database.check_up_to_date(app)
    with app.app_context():
        click.echo(people.link(email, reset_second_factor=reset_second_factor))


@click.group()
def mail() -> None:
    """Mail that comes back."""


@mail.command("bounce")
def bounce() -> None:
    """Read a report of undelivered mail from standard input, as a mail server pipes it, and mark its message.

    Exits with 0 whatever the mail was, with 75 (try again later) when the database cannot be reached or the message
    is just being sent.
    """
    from portal.serving import bouncing

    outcome = bouncing.take(_app(), sys.stdin.buffer)
    click.echo(outcome.words)
    if outcome.later:
        sys.exit(bouncing.TRY_LATER)


@click.group()
def demo() -> None:
    """Example records."""


@demo.command("load")
@click.option("--invitations", default=0, type=click.IntRange(0, 1_000_000), help="At least this many invitations.")
@click.option("--on-first-start", is_flag=True, help="Only into an empty database that keeps its mail.")
@refuses
def load_demo(invitations: int, on_first_start: bool) -> None:
    """Load example accounts, contacts, roles and invitations."""
    from portal.serving import database, examples

    app = _app(make_secrets=True)
    database.bring_up_to_date(app)
    with app.app_context():
        if on_first_start and not examples.wanted():
            return
        click.echo(examples.load(invitations))


COMMANDS = (serve, web, worker, doctor, staff, mail, demo)


def _follow(host: str, port: int) -> None:
    """Links follow the address we listen on, unless the operator says where the portal is found."""
    if os.environ.get("PORTAL_BASE_URL") or "PORTAL_BASE_URL" in _stored():
        return
    shown = {"0.0.0.0": HOST, "::": HOST, "": HOST}.get(host, host)  # noqa: S104
    os.environ["PORTAL_BASE_URL"] = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"


def _stored() -> dict[str, object]:
    instance = Path(os.environ.get("PORTAL_INSTANCE") or Path(__file__).parent.parent / "instance")
    try:
        return tomllib.loads((instance / "portal.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # what is wrong with it is told when the settings are loaded


main = FlaskGroup(
    name="portal",
    help="The invitation portal.",
    create_app=_app,
    add_default_commands=False,
    add_version_option=False,
    set_debug_flag=False,
    load_dotenv=False,
)
for _command in COMMANDS:
    main.add_command(_command)

if __name__ == "__main__":
    main(prog_name="portal")
