"""What the business itself listens with: the staff's group chats, and the systems that journeys call.

A robot in the WeCom format keeps what it is told in `truth/staff.jsonl`; calls of journeys are kept in
`truth/calls.jsonl`, each key once, as a receiver is meant to.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engage.clock import Clock
from engage.sandbox.loopback import Answer, LoopbackServer, Request, json_answer

_CALLS = "calls.jsonl"


class StaffRoom:
    """POST /<group> with `{"msgtype":"text","text":{"content":…}}`, as a WeCom group robot takes it; POST /calls/<name>
    for a webhook step."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._truth = folder / "truth"
        self._clock = clock
        self._seen = self._keys_kept()
        self._lock = threading.Lock()
        self._server = LoopbackServer(self._respond)

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def _respond(self, request: Request) -> Answer:
        if request.path.startswith("/calls/"):
            return self._called(request)
        try:
            said = json.loads(request.body)["text"]["content"]
        except (ValueError, KeyError, TypeError):
            return json_answer({"errcode": 44004, "errmsg": "empty content"})
        self._keep("staff.jsonl", {"group": request.path.strip("/"), "text": said})
        return json_answer({"errcode": 0, "errmsg": "ok"})

    def _called(self, request: Request) -> Answer:
        key = request.headers.get("idempotency-key", "")
        if key not in self._seen:
            self._seen.add(key)
            called = {"name": request.path.removeprefix("/calls/"), "key": key, "body": request.body.decode()}
            self._keep(_CALLS, called)
        return json_answer({"ok": True})

    def _keys_kept(self) -> set[str]:
        """Of an earlier run: a key it has had is dropped after a restart, too."""
        path = self._truth / _CALLS
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return {json.loads(line)["key"] for line in lines}

    def _keep(self, log: str, line: Mapping[str, Any]) -> None:
        said = json.dumps({"time": self._clock.now().isoformat(), **line}, ensure_ascii=False)
        with self._lock, (self._truth / log).open("a", encoding="utf-8") as file:
            file.write(said + "\n")
