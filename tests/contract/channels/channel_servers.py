"""Small real servers on loopback that behave as a test tells them: HTTP providers and a mail server."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False  # announces more bytes than it sends, then closes


@dataclass(frozen=True)
class HangUp:
    """Read the request, close without an answer."""


@dataclass(frozen=True)
class Stall:
    """Read the request, say nothing until the test is over."""


Behaviour = Answer | HangUp | Stall


def said(value: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value, ensure_ascii=False).encode())


@dataclass(frozen=True)
class Seen:
    method: str
    target: str  # as on the request line
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def json(self) -> dict:
        return json.loads(self.body)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class HttpProvider:
    """`respond` decides each answer; requests and connections are counted."""

    def __init__(self, respond: Callable[[Seen], Behaviour]) -> None:
        self.respond = respond
        self.seen: list[Seen] = []
        self.connections = 0
        self._over = threading.Event()
        self._server = _HttpServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> HttpProvider:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def _handler(provider) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one write an answer; two would wait 40 ms for the client's delayed ACK

            def setup(self) -> None:
                provider.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(self.command, self.path, headers, body)
                provider.seen.append(seen)
                self._behave(provider.respond(seen))

            do_GET = do_POST

            def _behave(self, behaviour: Behaviour) -> None:
                match behaviour:
                    case HangUp():
                        self.close_connection = True
                    case Stall():
                        provider._over.wait(10)
                        self.close_connection = True
                    case Answer(status, body, headers, cut):
                        self.send_response(status)
                        for name, value in headers.items():
                            self.send_header(name, value)
                        self.send_header("Content-Length", str(len(body) + (100 if cut else 0)))
                        self.end_headers()
                        self.wfile.write(body)
                        self.close_connection = cut

            def log_message(self, *_: object) -> None:
                """Quiet."""

        return Handler


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


class MailServer:
    """An SMTP server that can say or do anything at any point of the conversation.

    `replies` maps a verb (`GREETING`, `EHLO`, `MAIL`, `RCPT`, `DATA`, `TEXT`) to a reply, or to a behaviour.
    """

    def __init__(self) -> None:
        self.replies: dict[str, str | HangUp | Stall] = {}
        self.mails: list[tuple[str, str, bytes]] = []  # what it took responsibility for
        self.verbs: list[str] = []
        self.connections = 0
        self.hang_up_when_idle = False  # close a connection as soon as its first mail is done
        self._over = threading.Event()
        self._server = _TcpServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> MailServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def _handler(server) -> type[socketserver.StreamRequestHandler]:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                server.connections += 1
                if not self._say("GREETING", "220 mail.test ESMTP"):
                    return
                while line := self.rfile.readline():
                    if not self._obey(line.decode().rstrip("\r\n")):
                        return

            def _obey(self, line: str) -> bool:
                verb = line.split(" ")[0].split(":")[0].upper()
                server.verbs.append(verb)
                if verb in ("MAIL", "RCPT"):
                    self.__dict__[verb] = line[line.index("<") + 1 : line.rindex(">")]
                if verb == "DATA":
                    return self._data()
                default = {"EHLO": "250-mail.test\r\n250 8BITMIME", "QUIT": "221 bye"}.get(verb, "250 2.0.0 Ok")
                return self._say(verb, default) and verb != "QUIT"

            def _data(self) -> bool:
                if not self._say("DATA", "354 go on"):
                    return False
                if not str(server.replies.get("DATA", "354")).startswith("354"):
                    return True
                lines = []
                while (line := self.rfile.readline()) and line != b".\r\n":
                    lines.append(line.removeprefix(b"."))
                if not line:
                    return False
                if str(server.replies.get("TEXT", "250")).startswith("250") or "TEXT" not in server.replies:
                    server.mails.append((self.__dict__["MAIL"], self.__dict__["RCPT"], b"".join(lines)))
                return self._say("TEXT", "250 2.0.0 Ok: queued as 4ABC") and not server.hang_up_when_idle

            def _say(self, point: str, default: str) -> bool:
                match server.replies.get(point, default):
                    case HangUp():
                        return False
                    case Stall():
                        server._over.wait(10)
                        return False
                    case reply:
                        self.wfile.write(f"{reply}\r\n".encode())
                        return True

        return Handler


def closed_port() -> int:
    """A port on which nobody listens."""
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        return server.server_address[1]
