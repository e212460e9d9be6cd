"""The report a mail server sends back when a mailbox turns out not to exist (RFC 3464). Pure."""

from __future__ import annotations

from datetime import datetime
from email import policy
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime

from engage.sandbox.model import Handover

_SERVER = "mx.sandbox.invalid"


def bounce(handover: Handover, at: datetime) -> bytes:
    """Addressed to the envelope's sender, from nobody, with the original's headers."""
    report = MIMEMultipart("report", boundary=f"=_dsn_{int(at.timestamp())}")
    report.set_param("report-type", "delivery-status")
    report["From"] = f"Mail Delivery System <MAILER-DAEMON@{_SERVER}>"
    report["To"] = handover.payload["mail_from"]
    report["Subject"] = "Undelivered Mail Returned to Sender"
    report["Date"] = format_datetime(at)
    report["Message-ID"] = f"<bounce.{int(at.timestamp())}.{handover.payload['mail_from'].replace('@', '.')}@{_SERVER}>"
    report["Auto-Submitted"] = "auto-replied"
    report.attach(MIMEText(f"<{handover.address}>: host {_SERVER} said: 550 5.1.1 User unknown\n", "plain", "utf-8"))
    report.attach(_delivery_status(handover, at))
    report.attach(_original_headers(handover))
    return report.as_bytes(policy=policy.SMTP)


def _delivery_status(handover: Handover, at: datetime) -> Message:
    server = Message()
    server["Reporting-MTA"] = f"dns; {_SERVER}"
    server["Arrival-Date"] = format_datetime(handover.at)
    recipient = Message()
    recipient["Final-Recipient"] = f"rfc822; {handover.address}"
    recipient["Action"] = "failed"
    recipient["Status"] = "5.1.1"
    recipient["Diagnostic-Code"] = "smtp; 550 5.1.1 User unknown"
    recipient["Last-Attempt-Date"] = format_datetime(at)
    status = Message()
    status["Content-Type"] = "message/delivery-status"
    status.set_payload([server, recipient])
    return status


def _original_headers(handover: Handover) -> Message:
    head, _, _ = handover.payload["mime"].replace("\r\n", "\n").partition("\n\n")
    part = Message()
    part["Content-Type"] = "text/rfc822-headers"
    part.set_payload(head + "\n")
    return part
