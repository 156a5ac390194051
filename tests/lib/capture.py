# SPDX-License-Identifier: BSD-3-Clause
"""Capture of a port by dumpcap and its verdict by tshark: no malformed PDU, no expert error."""

import os
import signal
import socket
import subprocess
import threading

from .wait import SCALE, Lines, wait_exit

_MARK = b"ulio capture mark "


class Capture:
    """Context manager around the traffic of one TCP port on lo; verdict() afterwards.

    Marks (UDP datagrams to the same port) tell when dumpcap has begun and when it has seen everything."""

    def __init__(self, port, directory):
        self.port = port
        self.path = os.path.join(directory, f"port{port}.pcapng")
        self._seen = set()
        self._cond = threading.Condition()

    def __enter__(self):
        self.proc = subprocess.Popen(
            ["dumpcap", "-q", "-i", "lo", "-B", "64", "-f",
             f"tcp port {self.port} or udp dst port {self.port}", "-w", "-"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = Lines(self.proc.stderr)
        self.thread = threading.Thread(target=self._copy, daemon=True)
        self.thread.start()
        self._mark(b"begin")
        return self

    def _copy(self):
        tail = b""
        with open(self.path, "wb") as out:
            while True:
                got = self.proc.stdout.read1(1 << 20)
                if not got:
                    break
                out.write(got)
                tail = tail[-64:] + got
                for word in (b"begin", b"end"):
                    if _MARK + word in tail:
                        with self._cond:
                            self._seen.add(word)
                            self._cond.notify_all()
        with self._cond:
            self._seen.add(None)
            self._cond.notify_all()

    def _mark(self, word):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, self._cond:
            for _ in range(100):
                s.sendto(_MARK + word, ("127.0.0.1", self.port))
                if self._cond.wait_for(lambda: self._seen & {word, None}, 0.2 * SCALE) and word in self._seen:
                    return
                assert None not in self._seen, f"dumpcap ended:\n{self.lines.text()}"
        raise AssertionError(f"dumpcap sees nothing:\n{self.lines.text()}")

    def __exit__(self, kind, *exc):
        try:
            if kind is None:
                self._mark(b"end")
        finally:
            self.proc.send_signal(signal.SIGINT)
            assert wait_exit(self.proc.pid, 20), "dumpcap does not end"
            self.proc.wait()
            self.thread.join()
            self.proc.stdout.close()
            self.lines.join()

    def tshark(self, *args):
        """Output of tshark over the capture, with the port dissected as iSCSI."""
        done = subprocess.run(
            ["tshark", "-r", self.path, "-d", f"tcp.port=={self.port},iscsi", *args], check=True,
            capture_output=True, text=True, timeout=300)
        return done.stdout

    def _fields(self, filter_, *names):
        args = [x for n in names for x in ("-e", n)]
        text = self.tshark("-Y", filter_, "-T", "fields", "-E", "separator=|", "-E", "occurrence=a", *args)
        return [line.split("|") for line in text.splitlines()]

    def verdict(self, ignore=""):
        """Assert that iSCSI PDUs were seen and none is malformed or carries an expert error.

        tshark calls SCSI parameter data malformed when the initiator's allocation length cut it (SPC-4
        4.2.5.6). Such a frame is let pass if, and only if, its Data-In fills all that the initiator asked
        for, and the PDU itself was read."""
        assert self._fields("iscsi", "frame.number"), "no iSCSI PDU in the capture"
        what = ("tcp && (_ws.malformed || _ws.expert.severity == error || iscsi.keyvalue.invalid || "
                "iscsi.opcode.invalid)")
        if ignore:
            what += f" && !({ignore})"
        cols = ("frame.number", "iscsi.initiatortasktag", "iscsi.datasegmentlength", "iscsi.bufferOffset",
                "_ws.expert.message", "_ws.malformed", "_ws.col.Info")
        bad = self._fields(what, *cols)
        asked = {}
        edtl = "iscsi.scsicommand.expecteddatatransferlength"
        for tags, edtls in self._fields(edtl, "iscsi.initiatortasktag", edtl) if bad else ():
            for tag, size in zip(tags.split(","), edtls.split(",")):
                asked.setdefault(tag, set()).add(int(size, 0))
        left = []
        for row in bad:
            tags, sizes, who = row[1].split(","), row[2].split(","), row[5]
            cut = row[4] == "Malformed Packet (Exception occurred)" and "iSCSI" not in who and any(
                int(size, 0) in asked.get(tag, ()) for tag, size in zip(tags, sizes))
            if not cut:
                left.append(" | ".join(row))
        assert not left, f"tshark finds faults in {self.path}:\n" + "\n".join(left[:50])
        os.unlink(self.path)            # kept only when it shows something
