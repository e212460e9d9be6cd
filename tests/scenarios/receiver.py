"""A system of the business on loopback: what it was called with, and how it answers, the last answer over and over."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from typing import Any

from engage.sandbox.loopback import Answer, HangUp, LoopbackServer, Request, json_answer

OK = json_answer({"ok": True})
DOWN = json_answer({"error": "down"}, 503)
NO = json_answer({"error": "no such coupon"}, 422)


@dataclass
class Receiver:
    answers: list[Answer | HangUp] = field(default_factory=lambda: [OK])
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self.server = LoopbackServer(self._respond)
        self.server.start()

    @property
    def config(self) -> dict[str, Any]:
        return {"url": f"{self.server.url}/coupons", "secret": "coupon-secret"}

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.requests]

    @property
    def keys(self) -> list[str]:
        return [request.headers["idempotency-key"] for request in self.requests]

    def _respond(self, request: Request) -> Answer | HangUp:
        with self._lock:
            self.requests.append(request)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
