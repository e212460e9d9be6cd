"""An independent checker: the simulators' truth logs against what Engage exports. Reads no table and no engine code.

A handover is what a provider took responsibility for; a delivery is what Engage says it sent. The promise is that they
are the same set: each handover belongs to exactly one delivery called sent or ambiguous, each sent delivery has exactly
one handover, and none has two.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

OPT_OUT_WORDS = {"退订", "TD", "T", "R", "N"}
STAFF = "ops@example.com"  # of the team 会员运营 in the catalog: gets tasks, no deliveries
WIRE_DEADLINE = timedelta(seconds=20)


@dataclass(frozen=True)
class Truth:
    handovers: list[dict[str, Any]]
    acts: list[dict[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> Truth:
        lines = [line | {"log": log} for log in ("wechat", "sms", "email") for line in jsonl(folder / f"{log}.jsonl")]
        lines.sort(key=lambda line: line["seq"])
        to_members = [x for x in lines if x["kind"] == "handover" and x["address"] != STAFF]
        return cls(to_members, [x for x in lines if x["kind"] == "act"])


def jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def delivery_of(handover: dict[str, Any], deliveries: list[dict[str, Any]]) -> list[int]:
    """The ids of the deliveries a handover may belong to, read from what was on the wire."""
    payload = handover["payload"]
    if handover["log"] == "sms":
        return [int(payload["OutId"])]
    if handover["log"] == "email":
        return [int(match[1]) for match in [re.search(r"b\+(\d+)-\w+@", json.dumps(payload))] if match]
    if "client_msg_id" in payload:
        return [int(payload["client_msg_id"].removeprefix("engage-"))]
    at = moment(handover["time"])
    return [
        d["id"]
        for d in deliveries
        if d["channel"] == "wechat"
        and d["address"] == payload["touser"]
        and d["mode"] == "customer_service"
        and d["text"] == handover["text"]
        and timedelta(0) <= at - moment(d["sent_at"]) <= WIRE_DEADLINE
    ]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def reconcile(truth: Truth, deliveries: list[dict[str, Any]]) -> list[str]:
    """Every breach of the promise, in words. Empty: it held."""
    by_id = {d["id"]: d for d in deliveries}
    handed: Counter[int] = Counter()
    breaches = []
    for handover in truth.handovers:
        owners = [i for i in delivery_of(handover, deliveries) if i in by_id]
        if len(owners) != 1:
            breaches.append(f"{handover['id']} belongs to {len(owners)} deliveries")
            continue
        handed[owners[0]] += 1
        status = by_id[owners[0]]["status"]
        if status not in ("sent", "ambiguous"):
            breaches.append(f"{handover['id']} was handed over, but delivery {owners[0]} is {status}")
    for d in deliveries:
        count = handed[d["id"]]
        if count > 1:
            breaches.append(f"delivery {d['id']} was handed over {count} times")
        if d["status"] == "sent" and count == 0:
            breaches.append(f"delivery {d['id']} is sent, but nothing was handed over")
    return breaches


def sent_after_opt_out(truth: Truth, deliveries: list[dict[str, Any]]) -> list[str]:
    """Handovers of a topic that is not service, on a channel its reader has refused more than 20 s before."""
    by_id = {d["id"]: d for d in deliveries}
    refused: dict[tuple[str, str], datetime] = {}
    for act in truth.acts:
        words = act.get("text", "").strip().upper()
        typed = act["act"] == "type" and words in OPT_OUT_WORDS
        if typed or act["act"] == "one_click_unsubscribe":
            key = (act["log"], act["address"])
            refused[key] = min(refused.get(key, moment(act["time"])), moment(act["time"]))
    breaches = []
    for handover in truth.handovers:
        since = refused.get((handover["log"], handover["address"]))
        if since is None or moment(handover["time"]) <= since + WIRE_DEADLINE:
            continue
        for delivery_id in delivery_of(handover, deliveries):
            if by_id[delivery_id]["topic"] != "service":
                breaches.append(f"{handover['id']} ({by_id[delivery_id]['topic']}) after an opt-out at {since}")
    return breaches


def unrecorded_scores(
    truth: Truth, deliveries: list[dict[str, Any]], answers: list[dict[str, Any]]
) -> tuple[int, list[str]]:
    """How many scores people typed with a question in mind, and those that are not in the answers, or elsewhere."""
    by_id = {d["id"]: d for d in deliveries}
    asked = {h["id"]: h for h in truth.handovers}
    given = {(a["enrolment_id"], a["step"]): a for a in answers}
    typed, breaches = 0, []
    for act in truth.acts:
        match = re.match(r"\s*([0-9０-９]{1,2})(?!\d)", act.get("text", ""))
        question = asked.get(act.get("about") or "")
        if act["act"] != "type" or match is None or question is None:
            continue
        owner = by_id[delivery_of(question, deliveries)[0]]
        if owner["purpose"] not in ("ask", "remind"):
            continue
        typed += 1
        answer = given.get((owner["enrolment_id"], owner["step"]))
        if answer is None:
            breaches.append(f"{act['text']!r} at {act['time']} about {question['id']} is no answer")
        elif answer["journey"] != owner["journey"]:
            breaches.append(f"{act['text']!r} is an answer of {answer['journey']}, not of {owner['journey']}")
        elif answer["score"] != int(match[1]):
            breaches.append(f"{act['text']!r} was recorded as {answer['score']}")
    return typed, breaches
