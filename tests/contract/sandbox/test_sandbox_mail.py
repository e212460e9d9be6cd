"""The mail sink over real SMTP, and the bounces it sends back."""

from __future__ import annotations

import smtplib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from sandbox_bench import LIN, WANG, Bench, MakeBench

from engage.sandbox.chance import Chance
from engage.sandbox.model import Link, OneClickUnsubscribe, Person

HTML = """<p>林晚，<a href="http://127.0.0.1/c/abc">看看
<b>那片茶</b></a></p><a name="x">no</a><a href="mailto:a@b.cn">no</a><a href="https://shop.example/">店</a>"""


def letter(to: str, html: str | None = HTML) -> EmailMessage:
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "山野茶事 <hello@example.com>"
    message["To"] = to
    message["Subject"] = "那片茶，出来了"
    message["Message-ID"] = "<d42@bounce.example.com>"
    message["List-Unsubscribe"] = "<http://127.0.0.1/u/abc>, <mailto:u@example.com>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content("林晚，看看那片茶：http://127.0.0.1/c/abc\n")
    if html:
        message.add_alternative(html, subtype="html")
    return message


def post(bench: Bench, to: str, html: str | None = HTML) -> tuple[int, bytes]:
    """The answer to the final dot."""
    with smtplib.SMTP(bench.world.smtp_host, bench.world.smtp_port, timeout=5) as client:
        client.ehlo("localhost")
        client.mail("b+42@bounce.example.com")
        code, answer = client.rcpt(to)
        return client.data(letter(to, html).as_bytes()) if code == 250 else (code, answer)


def dead_mailboxes(seed: int) -> tuple[Person, Person]:
    """One that is refused at the door, one whose mail comes back."""
    chance = Chance(seed)
    people = [
        replace(WANG, key=f"d{n}", phone=None, email=f"dead{n}@example.com", mailbox_dead=True) for n in range(20)
    ]
    refused = [person for person in people if chance.fraction("dead mailbox", person.email) < 0.5]
    return refused[0], next(person for person in people if person not in refused)


def test_a_letter_is_read_as_a_mail_program_reads_it(bench: Bench) -> None:
    code, answer = post(bench, "Lin@Example.com")
    assert (code, answer[:5]) == (250, b"2.0.0")
    (handover,) = bench.world.phone(LIN.key).received
    assert (handover.address, handover.subject) == ("lin@example.com", "那片茶，出来了")
    assert handover.text.strip() == "林晚，看看那片茶：http://127.0.0.1/c/abc"
    assert handover.html is not None
    assert handover.html.replace("\r\n", "\n").strip() == HTML
    assert handover.links == (Link("http://127.0.0.1/c/abc", "看看 那片茶"), Link("https://shop.example/", "店"))
    assert handover.unsubscribe_url == "http://127.0.0.1/u/abc"
    assert handover.payload["mail_from"] == "b+42@bounce.example.com"
    assert "Message-ID: <d42@bounce.example.com>" in handover.payload["mime"]


def test_links_of_a_plain_letter_come_from_its_text(bench: Bench) -> None:
    post(bench, LIN.email or "", html=None)
    (handover,) = bench.world.phone(LIN.key).received
    assert [link.url for link in handover.links] == ["http://127.0.0.1/c/abc"]


def test_one_click_is_a_post_without_a_visit(bench: Bench) -> None:
    url = f"{bench.settings.engine_url}/u/abc"
    assert bench.world.act(OneClickUnsubscribe(LIN.email or "", url)).status == 200
    (request,) = bench.engine.requests
    assert (request.method, request.path, request.body) == ("POST", "/u/abc", b"List-Unsubscribe=One-Click")


def test_some_dead_mailboxes_are_refused_at_the_door(make_bench: MakeBench) -> None:
    refused, _ = dead_mailboxes(seed=7)
    bench = make_bench(people=[refused])
    assert post(bench, refused.email or "") == (550, b"5.1.1 User unknown")
    bench.go_on(timedelta(hours=1))
    assert bench.engine.requests == []
    assert (bench.folder / "truth" / "email.jsonl").read_text() == ""


def test_mail_for_the_others_comes_back_to_the_envelopes_sender(make_bench: MakeBench) -> None:
    _, bounced = dead_mailboxes(seed=7)
    bench = make_bench(people=[bounced])
    assert post(bench, bounced.email or "")[0] == 250
    assert bench.engine.requests == []
    bench.go_on(timedelta(hours=1))
    (request,) = bench.engine.at("/callbacks/email/mail-path")
    assert request.headers["content-type"] == "message/rfc822"
    report = message_from_bytes(request.body, policy=policy.default)
    assert report["To"] == "b+42@bounce.example.com"
    assert (report.get_content_type(), report.get_param("report-type")) == ("multipart/report", "delivery-status")
    _, status, headers = report.iter_parts()
    recipient = status.get_payload()[1]
    assert recipient["Final-Recipient"] == f"rfc822; {bounced.email}"
    assert (recipient["Action"], recipient["Status"]) == ("failed", "5.1.1")
    assert "Message-ID: <d42@bounce.example.com>" in headers.get_payload()
    assert bench.world.phone(bounced.key).received == ()


@pytest.mark.parametrize("recipients", [["lin@example.com", "wang@example.com"]])
def test_each_recipient_gets_a_handover(bench: Bench, recipients: Sequence[str]) -> None:
    with smtplib.SMTP(bench.world.smtp_host, bench.world.smtp_port, timeout=5) as client:
        client.sendmail("b+42@bounce.example.com", list(recipients), letter("list@example.com").as_bytes())
    assert [len(bench.world.phone(person.key).received) for person in (LIN, WANG)] == [1, 1]
