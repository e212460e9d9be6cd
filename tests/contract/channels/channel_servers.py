"""Small real servers on loopback that behave as a test tells them: HTTP providers and a mail server."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False  # announces more bytes than it sends, then closes
    closes: bool = False  # without a word of it, after the answer


@dataclass(frozen=True)
class HangUp:
    """Read the request, close without an answer."""


@dataclass(frozen=True)
class Stall:
    """Read the request, say nothing until the test is over."""


@dataclass(frozen=True)
class Drip:
    """Answer a byte at a time, and never come to an end before the test does."""


Behaviour = Answer | HangUp | Stall | Drip


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

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], over: threading.Semaphore):
        super().__init__(address, handler)
        self._over = over

    def shutdown_request(self, request: object) -> None:
        super().shutdown_request(request)
        self._over.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust the certificate is none of the server's faults."""


class HttpProvider:
    """`respond` decides each answer; requests and connections are counted."""

    def __init__(self, respond: Callable[[Seen], Behaviour], tls: ssl.SSLContext | None = None) -> None:
        self.respond = respond
        self.idle = threading.Semaphore(0)  # released for each connection that is over
        self.seen: list[Seen] = []
        self.connections = 0
        self._over = threading.Event()
        self._scheme = "http" if tls is None else "https"
        self._server = _HttpServer(("127.0.0.1", 0), self._handler(), self.idle)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
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
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}"

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
                    case Drip():
                        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                        while not provider._over.wait(0.02):
                            self.wfile.write(b" ")
                            self.wfile.flush()
                    case Answer(status, body, headers, cut, closes):
                        self.send_response(status)
                        for name, value in headers.items():
                            self.send_header(name, value)
                        self.send_header("Content-Length", str(len(body) + (100 if cut else 0)))
                        self.end_headers()
                        self.wfile.write(body)
                        self.close_connection = cut or closes

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

    def __init__(self, *, pipelining: bool = False) -> None:
        self.offers = ["8BITMIME", *(["PIPELINING"] if pipelining else [])]
        self.replies: dict[str, str | HangUp | Stall] = {}
        self.mails: list[tuple[str, str, bytes]] = []  # what it took responsibility for
        self.verbs: list[str] = []
        self.texts = 0  # begun
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
                *offers, last = server.offers
                offered = "".join(f"250-{offer}\r\n" for offer in offers)
                default = {"EHLO": f"250-mail.test\r\n{offered}250 {last}", "QUIT": "221 bye"}
                return self._say(verb, default.get(verb, "250 2.0.0 Ok")) and verb != "QUIT"

            def _data(self) -> bool:
                if not str(server.replies.get("RCPT", "250")).startswith("25") and "DATA" not in server.replies:
                    return self._say("NOBODY", "503 5.5.1 nobody is to get it")
                if not self._say("DATA", "354 go on"):
                    return False
                if not str(server.replies.get("DATA", "354")).startswith("354"):
                    return True
                server.texts += 1
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


def self_signed(folder: Path) -> ssl.SSLContext:
    """Of 127.0.0.1. Whoever trusts `cert.pem` in the folder, trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    day = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(day)
        .not_valid_after(day + timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key_pem)
    return context


def closed_port() -> int:
    """A port on which nobody listens."""
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        return server.server_address[1]
