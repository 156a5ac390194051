# SPDX-License-Identifier: BSD-3-Clause
"""JSON-RPC 2.0 over a Unix socket, one JSON text a line."""

import itertools
import json
import socket

from .wait import SCALE


class RpcError(AssertionError):
    """The daemon answered with an error object (JSON-RPC 2.0, 5.1)."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')} {error.get('data', '')}")
        self.code, self.message, self.data = error["code"], error["message"], error.get("data")


class Control:
    """Client of the control socket; also sends raw lines for tests of the protocol itself."""

    def __init__(self, path, timeout=10):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout * SCALE)
        self.sock.connect(path)
        self._buf = b""
        self._ids = itertools.count(1)

    def send_raw(self, data):
        self.sock.sendall(data)

    def recv_line(self):
        """Next line as an object; ConnectionError when the daemon closed."""
        while b"\n" not in self._buf:
            got = self.sock.recv(65536)
            if not got:
                raise ConnectionError("control socket closed")
            self._buf += got
        line, self._buf = self._buf.split(b"\n", 1)
        return json.loads(line)

    def call(self, method, **params):
        """Result of a method; raises RpcError."""
        ident = next(self._ids)
        request = {"jsonrpc": "2.0", "id": ident, "method": method}
        if params:
            request["params"] = params
        self.send_raw(json.dumps(request).encode() + b"\n")
        while True:
            reply = self.recv_line()
            assert reply.get("jsonrpc") == "2.0", f"not JSON-RPC 2.0: {reply}"
            if "id" not in reply and "method" in reply:
                continue                # a notification
            assert reply["id"] == ident, f"answer to another request: {reply}"
            assert ("result" in reply) != ("error" in reply), f"result or error, not both: {reply}"
            if "error" in reply:
                raise RpcError(reply["error"])
            return reply["result"]

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
