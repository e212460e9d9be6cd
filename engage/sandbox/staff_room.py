"""The staff's group chats: a robot webhook in the WeCom format that keeps what it is told in `truth/staff.jsonl`."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from engage.clock import Clock
from engage.sandbox.loopback import Answer, LoopbackServer, Request, json_answer


class StaffRoom:
    """POST /<group> with `{"msgtype":"text","text":{"content":…}}`, as a WeCom group robot takes it."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._path = folder / "truth" / "staff.jsonl"
        self._clock = clock
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
        try:
            said = json.loads(request.body)["text"]["content"]
        except (ValueError, KeyError, TypeError):
            return json_answer({"errcode": 44004, "errmsg": "empty content"})
        line = {"time": self._clock.now().isoformat(), "group": request.path.strip("/"), "text": said}
        with self._lock, self._path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line, ensure_ascii=False) + "\n")
        return json_answer({"errcode": 0, "errmsg": "ok"})
