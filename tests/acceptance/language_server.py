"""A YAML language server, driven as an editor drives it: over its standard input and output."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any


class LanguageServer:
    def __init__(self, program: Path, root: Path) -> None:
        self._process = subprocess.Popen(
            ["node", str(program), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._number = 0
        self._diagnostics: dict[str, list[dict[str, Any]]] = {}
        self._ask("initialize", {"processId": None, "rootUri": root.as_uri(), "capabilities": _CAPABILITIES})
        self._tell("initialized", {})

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def open(self, path: Path, text: str) -> str:
        """The document's address, its first diagnostics read."""
        address = path.as_uri()
        self._diagnostics.pop(address, None)
        document = {"uri": address, "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        while address not in self._diagnostics:
            self._take(self._receive())
        return address

    def shut(self, address: str) -> None:
        self._tell("textDocument/didClose", {"textDocument": {"uri": address}})

    def complaints(self, path: Path, text: str) -> list[tuple[int, str]]:
        """What is underlined: line from 1, and the words."""
        address = self.open(path, text)
        found = [(one["range"]["start"]["line"] + 1, one["message"]) for one in self._diagnostics[address]]
        self.shut(address)
        return found

    def offers(self, path: Path, text: str) -> dict[str, dict[str, Any]]:
        """What can be completed where `text` has its `‸`, by label."""
        place = _place_of(text.index("‸"), text)
        address = self.open(path, text.replace("‸", ""))
        found = self._ask("textDocument/completion", {"textDocument": {"uri": address}, "position": place})
        self.shut(address)
        return {item["label"]: item for item in (found["items"] if isinstance(found, dict) else found or [])}

    def explanation(self, path: Path, text: str) -> str:
        """What is told about the word before `‸`."""
        place = _place_of(text.index("‸") - 1, text)
        address = self.open(path, text.replace("‸", ""))
        found = self._ask("textDocument/hover", {"textDocument": {"uri": address}, "position": place})
        self.shut(address)
        return found["contents"]["value"] if found else ""

    # --- the wire -----------------------------------------------------------------------------------------------

    def _ask(self, method: str, params: dict[str, Any]) -> Any:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == self._number and "method" not in message:
                return message.get("result")
            self._take(message)

    def _tell(self, method: str, params: dict[str, Any]) -> None:
        self._send({"method": method, "params": params})

    def _take(self, message: dict[str, Any]) -> None:
        match message.get("method"):
            case "textDocument/publishDiagnostics":
                self._diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
            case "workspace/configuration":
                self._send(
                    {"id": message["id"], "result": [_SETTINGS.get(i["section"]) for i in message["params"]["items"]]}
                )
            case str() if "id" in message:
                self._send({"id": message["id"], "result": None})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the language server has ended"
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return message


_CAPABILITIES = {
    "workspace": {"configuration": True},
    "textDocument": {
        "publishDiagnostics": {},
        "completion": {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}},
        "hover": {"contentFormat": ["markdown"]},
    },
}
_SETTINGS = {"yaml": {"validate": True, "hover": True, "completion": True, "schemaStore": {"enable": False}}}


def _place_of(index: int, text: str) -> dict[str, int]:
    before = text[:index]
    return {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
