"""The line to the mail server: Flask-Mail's connection with timeouts, a verified certificate and a tolerant end."""

import re
import smtplib
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import flask_mail

from portal.config import LOOPBACK

COMMAND_TIMEOUT = 30.0
DATA_TIMEOUT = 120.0
LONGEST_ANSWER = 500
CLOSED = "The server closed the connection."
SILENT = f"The server did not answer within {COMMAND_TIMEOUT:.0f} seconds."
UNCONFIRMED = f"The server did not confirm the message within {DATA_TIMEOUT:.0f} seconds."
IMPLICIT, STARTTLS, NONE = "implicit", "starttls", "none"


class Away(Exception):
    """The server cannot be reached, or has no time: every message waits. `answer` holds its words."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer)
        self.answer = answer


class Misconfigured(Away):
    """The server will not have us as we are set up: no message is at fault, an operator is needed."""


class Postponed(Exception):
    """The server will not take this message now. `perhaps_taken`: the line broke after all of it was sent."""

    def __init__(self, answer: str, *, perhaps_taken: bool = False) -> None:
        super().__init__(answer)
        self.answer, self.perhaps_taken = answer, perhaps_taken


class Refused(Exception):
    """The server will never take this message."""

    def __init__(self, answer: str) -> None:
        super().__init__(answer)
        self.answer = answer


@dataclass(frozen=True)
class Server:
    """Where mail goes, read from `PORTAL_MAIL_URL`."""

    host: str
    port: int
    tls: str
    username: str | None
    password: str | None


def parse(url: str) -> Server:
    """`smtp(s)://user:password@host:port?tls=…`, user and password percent-encoded. Without `tls=`, mail to another
    machine is encrypted; `tls=none` must be said."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "smtps":
        tls = IMPLICIT
    else:
        tls = parse_qs(parts.query).get("tls", [NONE if host in LOOPBACK else STARTTLS])[0]
    usual = {IMPLICIT: 465, STARTTLS: 587, NONE: 25}
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return Server(host, parts.port or usual[tls], tls, username, password)


class Line(flask_mail.Connection):
    """One connection for a batch of messages; `with Line(server, name)` opens it when the first one is sent.

    `name` is what we call ourselves; never the machine's own name.
    """

    host: smtplib.SMTP | None

    def __init__(self, server: Server | None, name: str) -> None:
        server = server or Server("", 0, NONE, None, None)
        self.server, self.name = server, name
        mail = flask_mail._Mail(
            server=server.host,
            username=server.username,
            password=server.password,
            port=server.port,
            use_tls=server.tls == STARTTLS,
            use_ssl=server.tls == IMPLICIT,
            default_sender=None,
            debug=0,
            max_emails=None,
            suppress=False,
            ascii_attachments=False,
        )
        super().__init__(mail)  # type: ignore[arg-type]

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> smtplib.SMTP:
        """The line, opened if it is not. Raises Away or Misconfigured."""
        if self.host is None:
            self.host = self.configure_host()
        return self.host

    def close(self) -> None:
        """End it. Whatever was accepted stays accepted, however badly the server says good-bye."""
        line, self.host = self.host, None
        if line is None:
            return
        try:
            line.quit()
        except (smtplib.SMTPException, OSError):
            line.close()

    def configure_host(self) -> smtplib.SMTP:
        """Connect, encrypt, sign in."""
        try:
            return self._connected()
        except ssl.SSLCertVerificationError as fault:
            raise Misconfigured(f"The server's certificate cannot be trusted: {fault.verify_message}") from fault
        except ssl.SSLError as fault:
            raise Misconfigured(f"No encrypted connection: {fault.reason or 'TLS failed'}") from fault
        except smtplib.SMTPServerDisconnected as fault:
            raise Away(SILENT if _timed_out(fault) else CLOSED) from fault
        except smtplib.SMTPResponseException as fault:
            raise _by_code(fault.smtp_code, fault.smtp_error) from fault
        except smtplib.SMTPNotSupportedError as fault:
            raise Misconfigured(f"The server does not offer what is set up: {fault}") from fault
        except smtplib.SMTPException as fault:
            raise Misconfigured(words(0, str(fault))) from fault
        except UnicodeError as fault:
            raise Misconfigured("User name, password or host hold a letter that mail servers do not take.") from fault
        except TimeoutError as fault:
            raise Away(SILENT) from fault
        except OSError as fault:
            raise Away(f"The server cannot be reached: {fault.strerror or type(fault).__name__}") from fault

    def deliver(self, sender: str, to: str, letter: bytes) -> str:
        """Hand over one message to one recipient; returns the server's words.

        Raises Postponed or Refused for this message, Away or Misconfigured for all of them.
        """
        line = self.open()
        perhaps_taken = False
        try:
            self._envelope(line, sender, to)
            self._answered(line.docmd("DATA"), 354)
            # From here on the server may have it, whatever happens to the line.
            perhaps_taken = True
            answer = self._body(line, letter)
            perhaps_taken = False
            return words(*self._answered(answer, 250))
        except smtplib.SMTPServerDisconnected as fault:
            self._drop()
            if _timed_out(fault) and not perhaps_taken:
                raise Away(SILENT) from fault
            raise Postponed(UNCONFIRMED if _timed_out(fault) else CLOSED, perhaps_taken=perhaps_taken) from fault
        except smtplib.SMTPResponseException as fault:
            self._drop()
            raise Postponed(words(fault.smtp_code, fault.smtp_error), perhaps_taken=perhaps_taken) from fault

    def probe(self, sender: str) -> None:
        """Whether the server would take mail from `sender`. Raises like `deliver`."""
        line = self.open()
        try:
            self._mail(line, sender, [])
            line.rset()
        except Postponed as fault:
            raise Away(fault.answer) from fault
        except smtplib.SMTPException as fault:
            self._drop()
            raise Away(SILENT if _timed_out(fault) else CLOSED) from fault

    def _connected(self) -> smtplib.SMTP:
        server, context = self.server, ssl.create_default_context()
        line: smtplib.SMTP
        if server.tls == IMPLICIT:
            line = smtplib.SMTP_SSL(server.host, server.port, self.name, timeout=COMMAND_TIMEOUT, context=context)
        else:
            line = smtplib.SMTP(server.host, server.port, self.name, timeout=COMMAND_TIMEOUT)
        try:
            _greet(line)
            if server.tls == STARTTLS:
                line.starttls(context=context)
                _greet(line)
            if server.username is not None:
                line.login(server.username, server.password or "")
        except BaseException:
            line.close()
            raise
        return line

    def _envelope(self, line: smtplib.SMTP, sender: str, to: str) -> None:
        options = []
        if not to.isascii():
            if not line.has_extn("smtputf8"):
                raise Refused("The server does not take addresses with letters outside ASCII.")
            options = ["SMTPUTF8", "BODY=8BITMIME"]
        self._mail(line, sender, options)
        code, answer = line.rcpt(to)
        if code in (530, 535):
            raise self._lost(Misconfigured(words(code, answer)))
        if code not in (250, 251, 252):
            self._answered((code, answer), 250)

    def _mail(self, line: smtplib.SMTP, sender: str, options: list[str]) -> None:
        code, answer = line.mail(sender, options)
        if code == 250:
            return
        if code >= 500:
            # The sender is the site's own, the same for every message.
            raise self._lost(Misconfigured(words(code, answer)))
        self._answered((code, answer), 250)

    def _body(self, line: smtplib.SMTP, letter: bytes) -> tuple[int, bytes]:
        if line.sock is None:
            raise smtplib.SMTPServerDisconnected("the line is closed")
        line.sock.settimeout(DATA_TIMEOUT)
        dotted = re.sub(rb"(?m)^\.", b"..", letter)
        line.send(dotted + b".\r\n")
        answer = line.getreply()
        line.sock.settimeout(COMMAND_TIMEOUT)
        return answer

    def _answered(self, answer: tuple[int, Any], wanted: int) -> tuple[int, Any]:
        """The answer if it is what was wanted; else the refusal it means, the line ready for the next message."""
        code, text = answer
        if code == wanted:
            return answer
        if code == 421:
            self._drop()
            raise Postponed(words(code, text))
        self._reset()
        if code >= 500:
            raise Refused(words(code, text))
        raise Postponed(words(code, text))

    def _reset(self) -> None:
        """Ready for the next message; if even that fails, the next one gets a new line."""
        try:
            if self.host is not None:
                self.host.rset()
        except smtplib.SMTPException:
            self._drop()

    def _lost(self, fault: Misconfigured) -> Misconfigured:
        self._drop()
        return fault

    def _drop(self) -> None:
        if self.host is not None:
            self.host.close()
            self.host = None


def _greet(line: smtplib.SMTP) -> None:
    """Say who we are; the older way only to a server that does not know the newer one."""
    code, answer = line.ehlo()
    if code >= 500:
        code, answer = line.helo()
    if not 200 <= code <= 299:
        raise smtplib.SMTPHeloError(code, answer)


def words(code: int, text: bytes | str) -> str:
    """A server's answer as one line that is safe to keep and to show."""
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    said = " ".join("".join(c if c.isprintable() else " " for c in said).split())
    return (f"{code} {said}" if code else said)[:LONGEST_ANSWER]


def _by_code(code: int, text: bytes | str) -> Away:
    return (Misconfigured if code >= 500 else Away)(words(code, text))


def _timed_out(fault: Exception) -> bool:
    """smtplib reports a timeout as a closed connection; what it caught tells the two apart."""
    return isinstance(fault.__context__, TimeoutError)
