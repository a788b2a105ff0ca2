"""Reports of undelivered mail, laid out as the mail servers of the world write them."""

from dataclasses import dataclass

HEADERS = """\
Received: from portal.example (portal.example [192.0.2.10])
\tby mx.example.net (Postfix) with ESMTP id 4ZxQ
\tfor <{to}>; Fri, 20 Nov 2026 12:00:00 +0000 (UTC)
From: "Olga Owner via Portal" <portal@portal.example>
To: {to}
Subject: You are invited
Message-ID: {message_id}
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
"""


@dataclass(frozen=True)
class Returned:
    """The mail that came back: where the report goes, to whom the mail went, and its Message-ID."""

    returned_to: str
    to: str
    message_id: str

    @property
    def headers(self) -> str:
        return HEADERS.format(to=self.to, message_id=self.message_id)


def postfix(
    mail: Returned,
    *,
    status: str = "5.1.1",
    action: str = "failed",
    final: str = "",
    original: str = "",
    words: str = "",
) -> bytes:
    """Postfix: all three parts, the recipient as it was given and as it became."""
    words = words or f"550 {status} <{mail.to}>: Recipient address rejected: User unknown"
    return _crlf(f"""\
Return-Path: <>
X-Original-To: {mail.returned_to}
Delivered-To: {mail.returned_to}
Received: by mx.portal.example (Postfix)
\tid 4ZxR; Fri, 20 Nov 2026 12:00:05 +0000 (UTC)
Date: Fri, 20 Nov 2026 12:00:05 +0000 (UTC)
From: MAILER-DAEMON@mx.portal.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {mail.returned_to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4ZxQ.1700000000/mx.portal.example"
Message-Id: <20261120120005.4ZxR@mx.portal.example>

This is a MIME-encapsulated message.

--4ZxQ.1700000000/mx.portal.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

<{mail.to}>: host mx.example.net[192.0.2.20] said: {words} (in reply to RCPT TO command)

--4ZxQ.1700000000/mx.portal.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.portal.example
X-Postfix-Queue-ID: 4ZxQ
X-Postfix-Sender: rfc822; {mail.returned_to}
Arrival-Date: Fri, 20 Nov 2026 12:00:00 +0000 (UTC)

Final-Recipient: rfc822; {final or mail.to}
Original-Recipient: rfc822;{original or mail.to}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.net
Diagnostic-Code: smtp; {words}

--4ZxQ.1700000000/mx.portal.example
Content-Description: Undelivered Message
Content-Type: message/rfc822
Content-Transfer-Encoding: 8bit

{mail.headers}
You are invited. Grüße

--4ZxQ.1700000000/mx.portal.example--
""")


def exim(mail: Returned, *, words: str = "550 5.1.1 User unknown") -> bytes:
    """Exim as most sites still run it: no part for machines, the recipient in a header, the mail below dashes."""
    return _crlf(f"""\
Return-path: <>
Envelope-to: {mail.returned_to}
Delivery-date: Fri, 20 Nov 2026 12:00:05 +0000
Received: from Debian-exim by mx.portal.example with local (Exim 4.84)
\tid 1abcDE-0001; Fri, 20 Nov 2026 12:00:05 +0000
X-Failed-Recipients: {mail.to}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.portal.example>
To: {mail.returned_to}
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1abcDE-0001@mx.portal.example>
Date: Fri, 20 Nov 2026 12:00:05 +0000

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {mail.to}
    host mx.example.net [192.0.2.20]
    SMTP error from remote mail server after RCPT TO:<{mail.to}>:
    {words}

------ This is a copy of the message, including all the headers. ------

Return-path: <{mail.returned_to}>
{mail.headers}
You are invited.
""")


def exim_late(mail: Returned) -> bytes:
    """Exim, when a mail waits for a day."""
    return _crlf(f"""\
Return-path: <>
Envelope-to: {mail.returned_to}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.portal.example>
To: {mail.returned_to}
Subject: Warning: message 1abcDE-0001 delayed 24 hours
Date: Sat, 21 Nov 2026 12:00:05 +0000

This message was created automatically by mail delivery software.
A message that you sent has not yet been delivered to one or more of its
recipients after more than 24 hours on the queue on mx.portal.example.

The message identifier is:     1abcDE-0001
The date of the message is:    Fri, 20 Nov 2026 12:00:00 +0000
The subject of the message is: You are invited

The address to which the message has not yet been delivered is:

  {mail.to}

No action is required on your part.
""")


def exchange(mail: Returned, *, status: str = "5.1.10", words: str = "") -> bytes:
    """Exchange Online: names of types in capitals, no original recipient, only the headers come back, references."""
    words = (
        words or f"550 {status} RESOLVER.ADR.RecipientNotFound; Recipient {mail.to} not found by SMTP address lookup"
    )
    return _crlf(f"""\
Received: from AM0PR01.eurprd01.prod.exchangelabs.com (2603:10a6::1) by
 AM0PR02.eurprd01.prod.exchangelabs.com with HTTPS; Fri, 20 Nov 2026 12:00:06 +0000
MIME-Version: 1.0
From: <postmaster@example.net>
To: <{mail.returned_to}>
Date: Fri, 20 Nov 2026 12:00:06 +0000
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="a1b2c3d4-0000-4444-8888-123456789012"
X-MS-Exchange-Message-Is-Ndr:
Content-Language: en-GB
Message-ID: <f00-ba4@example.net>
In-Reply-To: {mail.message_id}
References: {mail.message_id}
Subject: Undeliverable: You are invited
Auto-Submitted: auto-replied

--a1b2c3d4-0000-4444-8888-123456789012
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="b1b2c3d4-0000-4444-8888-123456789012"

--b1b2c3d4-0000-4444-8888-123456789012
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

Your message to {mail.to} couldn't be delivered.=20
{mail.to} wasn't found at example.net.

--b1b2c3d4-0000-4444-8888-123456789012
Content-Type: text/html; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

<html><body><p>Your message couldn=27t be delivered.</p></body></html>

--b1b2c3d4-0000-4444-8888-123456789012--

--a1b2c3d4-0000-4444-8888-123456789012
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0PR02.eurprd01.prod.exchangelabs.com
Received-From-MTA: dns;portal.example
Arrival-Date: Fri, 20 Nov 2026 12:00:05 +0000

Final-Recipient: RFC822;{mail.to}
Action: failed
Status: {status}
Diagnostic-Code: smtp;{words}
X-Display-Name: Anna Weber


--a1b2c3d4-0000-4444-8888-123456789012
Content-Type: text/rfc822-headers

{mail.headers}
--a1b2c3d4-0000-4444-8888-123456789012--
""")


def gmail(mail: Returned, *, status: str = "5.1.1", action: str = "failed") -> bytes:
    """Gmail: a picture between the parts, words over several lines, the Message-ID in the delivery status."""
    return _crlf(f"""\
Delivered-To: {mail.returned_to}
Received: by 2002:a05:6000:1 with SMTP id x1csp1; Fri, 20 Nov 2026 04:00:07 -0800 (PST)
Return-Path: <>
Content-Type: multipart/report; boundary="000000000000abcdef05"; report-type=delivery-status
To: {mail.returned_to}
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
Subject: Delivery Status Notification (Failure)
References: {mail.message_id}
In-Reply-To: {mail.message_id}
X-Failed-Recipients: {mail.to}
Message-ID: <655b0001.a70a0220.1.1@mx.google.com>
Date: Fri, 20 Nov 2026 04:00:07 -0800 (PST)

--000000000000abcdef05
Content-Type: multipart/related; boundary="000000000000abcdef06"

--000000000000abcdef06
Content-Type: multipart/alternative; boundary="000000000000abcdef07"

--000000000000abcdef07
Content-Type: text/plain; charset="UTF-8"

** Address not found **

Your message wasn't delivered to {mail.to} because the address couldn't be found, or is unable to receive mail.

--000000000000abcdef07
Content-Type: text/html; charset="UTF-8"

<html><body>Address not found</body></html>

--000000000000abcdef07--
--000000000000abcdef06
Content-Type: image/png; name="icon.png"
Content-Disposition: attachment; filename="icon.png"
Content-Transfer-Encoding: base64
Content-ID: <icon.png>

iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==
--000000000000abcdef06--
--000000000000abcdef05
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Received-From-MTA: dns; {mail.returned_to}
Arrival-Date: Fri, 20 Nov 2026 04:00:06 -0800 (PST)
X-Original-Message-ID: {mail.message_id}

Final-Recipient: rfc822; {mail.to}
Action: {action}
Status: {status}
Remote-MTA: dns; gmail-smtp-in.l.google.com. (2a00:1450::1a, the server for the domain example.net.)
Diagnostic-Code: smtp; 550-{status} The email account that you tried to reach does not exist. Please try
 550-{status} double-checking the recipient's email address for typos or
 550 {status} unnecessary spaces. - gsmtp
Last-Attempt-Date: Fri, 20 Nov 2026 04:00:07 -0800 (PST)

--000000000000abcdef05
Content-Type: message/rfc822

{mail.headers}
----- Message truncated -----

--000000000000abcdef05--
""")


def vacation(mail: Returned) -> bytes:
    """No report, but somebody's answering machine."""
    return _crlf(f"""\
From: {mail.to}
To: {mail.returned_to}
Subject: Out of office: You are invited
In-Reply-To: {mail.message_id}
References: {mail.message_id}
Auto-Submitted: auto-replied
Content-Type: text/plain; charset=utf-8

I am away until Monday. 550 5.1.1 is my room number.
""")


def _crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()
