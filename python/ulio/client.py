# SPDX-License-Identifier: BSD-3-Clause
"""A connection to uliod's control socket."""

from __future__ import annotations

import collections
import errno
import itertools
import json
import os
import select
import socket
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Deque, Dict, Iterable, Iterator, List, Optional, Type, Union

Json = Any
Value = Union[str, int, bool]

REQUEST_MAX = 1 << 20       # bytes of a request (include/ulio/control.h)


class UlioError(OSError):
    """The daemon refused: str() is its sentence, which names the value and the cure.

    errno   as of the system, 0 if the daemon gave none
    code    of JSON-RPC 2.0: -32601 no such method, -32602 wrong parameters, -32000 all else
    path    the object that it is about, "" if none
    data    all that the daemon told: "problems" of plan and apply, "op" and "undone" of a transaction
    """

    def __init__(self, error: Dict[str, Json]):
        self.data: Dict[str, Json] = error.get("data") or {}
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.path: str = self.data.get("path", "")
        super().__init__(getattr(errno, self.data.get("errno", ""), 0), self.message)

    def __str__(self) -> str:
        return self.message


class ConnectionLost(ConnectionError):
    """The daemon has closed the connection, or ended."""


@dataclass(frozen=True)
class Event:
    """What has happened. kind "lost": `count` events could not be told."""
    kind: str
    time: float = 0.0
    object: str = ""
    target: str = ""
    initiator: str = ""
    peer: str = ""
    path: str = ""
    state: str = ""
    text: str = ""
    count: int = 0


@dataclass(frozen=True)
class Change:
    """One change of a plan: op "create", "remove", "set", "link"; old and new are None where there is none."""
    op: str
    path: str
    old: Json = None
    new: Json = None
    text: str = ""
    secret: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Plan:
    """The ordered changes, and what is worth knowing of them."""
    changes: List[Change] = field(default_factory=list)
    problems: List[Dict[str, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __str__(self) -> str:
        return "\n".join(map(str, self.changes))


def default_path() -> str:
    """$ULIO_CONTROL, else where the daemon listens unless told otherwise."""
    path = os.environ.get("ULIO_CONTROL")
    if path:
        return path
    if os.geteuid() == 0:
        return "/run/uliod.sock"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return os.path.join(runtime, "uliod.sock") if runtime else os.path.expanduser("~/.uliod.sock")


def text_of(value: Value) -> str:
    """As it would be written to the file of an attribute."""
    return str(int(value)) if isinstance(value, bool) else str(value)


class Transaction:
    """Changes that are carried out together at the end of the `with` block, all or none."""

    def __init__(self, client: "Client"):
        self._client = client
        self.ops: List[Dict[str, str]] = []

    def mkdir(self, path: str) -> None:
        self.ops.append({"op": "mkdir", "path": path})

    def rmdir(self, path: str) -> None:
        self.ops.append({"op": "rmdir", "path": path})

    def set(self, path: str, value: Value) -> None:
        self.ops.append({"op": "set", "path": path, "value": text_of(value)})

    def link(self, path: str, target: str) -> None:
        self.ops.append({"op": "link", "path": path, "target": target})

    def unlink(self, path: str) -> None:
        self.ops.append({"op": "unlink", "path": path})

    def __enter__(self) -> "Transaction":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if kind is None and self.ops:
            self._client.call("transaction", ops=self.ops)


class Client:
    """One connection. Not for several threads at once: each takes its own."""

    def __init__(self, path: Optional[str] = None, timeout: Optional[float] = 30.0):
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(timeout)
        self._timeout = timeout
        try:
            self._sock.connect(path or default_path())
        except OSError:
            self._sock.close()
            raise
        self._buf = bytearray()
        self._ids = itertools.count(1)
        self._events: Deque[Event] = collections.deque()

    # --- the connection

    def close(self) -> None:
        self._sock.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def fileno(self) -> int:
        """For select and event loops: readable when an event may have come."""
        return self._sock.fileno()

    def _line(self) -> Dict[str, Json]:
        while True:
            end = self._buf.find(b"\n")
            if end >= 0:
                line = bytes(self._buf[:end])
                del self._buf[:end + 1]
                return json.loads(line)
            got = self._sock.recv(1 << 16)
            if not got:
                raise ConnectionLost("uliod has closed the connection")
            self._buf += got

    def _take(self, message: Dict[str, Json]) -> bool:
        """Keep it if it is an event."""
        if message.get("method") != "event":
            return False
        params = message["params"]
        self._events.append(Event(**{k: v for k, v in params.items() if k in Event.__dataclass_fields__}))
        return True

    # --- calls

    def call(self, method: str, **params: Json) -> Json:
        """The result of a method; UlioError if it is refused. What is None is left out."""
        ident = next(self._ids)
        request = {"jsonrpc": "2.0", "id": ident, "method": method,
                   "params": {k: v for k, v in params.items() if v is not None}}
        data = json.dumps(request).encode() + b"\n"
        if len(data) > REQUEST_MAX:
            raise ValueError(f"{method}: a request of {len(data)} bytes is too long, at most {REQUEST_MAX}: "
                             "split it, or give a file")
        self._sock.sendall(data)
        while True:
            reply = self._line()
            if self._take(reply):
                continue
            if reply.get("id") not in (ident, None):
                continue            # of a call that was given up by a timeout
            if "error" in reply:
                raise UlioError(reply["error"])
            return reply.get("result")

    def methods(self) -> List[Dict[str, Json]]:
        return self.call("help")

    def version(self) -> Dict[str, Json]:
        return self.call("version")

    # --- the tree

    def get(self, path: str) -> str:
        return self.call("get", path=path)

    def set(self, path: str, value: Value) -> None:
        self.call("set", path=path, value=text_of(value))

    def mkdir(self, path: str) -> None:
        self.call("mkdir", path=path)

    def rmdir(self, path: str) -> None:
        self.call("rmdir", path=path)

    def link(self, path: str, target: str) -> None:
        self.call("link", path=path, target=target)

    def unlink(self, path: str) -> None:
        self.call("unlink", path=path)

    def ls(self, path: str = "/") -> Dict[str, Json]:
        return self.call("ls", path=path)

    def dump(self, path: str = "/", depth: Optional[int] = None, stats: bool = False) -> Dict[str, Json]:
        return self.call("dump", path=path, depth=depth, stats=stats)

    def transaction(self) -> Transaction:
        return Transaction(self)

    # --- the whole configuration

    def config(self, secrets: bool = False) -> Dict[str, Json]:
        """{"config": as in saveconfig.json, "extras": what that format has no place for}."""
        return self.call("config.dump", secrets=secrets)

    def plan(self, config: Optional[Dict[str, Json]] = None, file: Optional[str] = None,
             extras: Optional[Dict[str, Json]] = None) -> Plan:
        """What apply() would change."""
        return _plan_of(self.call("plan", config=config, file=file, extras=extras))

    def apply(self, config: Optional[Dict[str, Json]] = None, file: Optional[str] = None,
              extras: Optional[Dict[str, Json]] = None, pending: bool = False) -> Plan:
        """Bring the running configuration to this one, or change nothing and raise UlioError."""
        return _plan_of(self.call("apply", config=config, file=file, extras=extras, pending=pending))

    def save(self, force: bool = False) -> Dict[str, Json]:
        return self.call("save", force=force)

    # --- events

    def subscribe(self, *kinds: str) -> None:
        """Be told of these from now on; without any: of nothing."""
        self.call("subscribe", kinds=list(kinds))

    def events(self, timeout: Optional[float] = None) -> Iterator[Event]:
        """Events as they come; ends when none has come for `timeout` seconds (None: waits for ever)."""
        while True:
            event = self.next_event(timeout)
            if event is None:
                return
            yield event

    def next_event(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next one, None if none comes within `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._events:
            if b"\n" not in self._buf:
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                if not select.select([self._sock], [], [], left)[0]:
                    return None
                got = self._sock.recv(1 << 16)
                if not got:
                    raise ConnectionLost("uliod has closed the connection")
                self._buf += got
                continue
            self._take(self._line())
        return self._events.popleft()


def _plan_of(result: Dict[str, Json]) -> Plan:
    changes: Iterable[Dict[str, Json]] = result["changes"]
    return Plan([Change(**c) for c in changes], result["problems"])


def connect(path: Optional[str] = None, timeout: Optional[float] = 30.0) -> Client:
    """Connect to the daemon at `path`, else at default_path()."""
    return Client(path, timeout)
