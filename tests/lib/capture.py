# SPDX-License-Identifier: BSD-3-Clause
"""Capture of a port by dumpcap and its verdict by tshark: no malformed PDU, no expert error."""

import os
import signal
import subprocess

from .wait import Lines, wait_exit


class Capture:
    """Context manager around traffic of one TCP port on lo; verdict() afterwards."""

    def __init__(self, port, directory):
        self.port = port
        self.path = os.path.join(directory, f"port{port}.pcapng")

    def __enter__(self):
        self.proc = subprocess.Popen(
            ["dumpcap", "-q", "-i", "lo", "-B", "64", "-f", f"tcp port {self.port}", "-w", self.path],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.lines = Lines(self.proc.stderr)
        self.lines.wait_for(r"^File: ", 20)
        return self

    def __exit__(self, *exc):
        self.proc.send_signal(signal.SIGINT)
        assert wait_exit(self.proc.pid, 20), "dumpcap does not end"
        self.proc.wait()
        self.lines.join()

    def tshark(self, *args):
        """Output of tshark over the capture, with the port dissected as iSCSI."""
        done = subprocess.run(
            ["tshark", "-r", self.path, "-d", f"tcp.port=={self.port},iscsi", *args], check=True,
            capture_output=True, text=True, timeout=300)
        return done.stdout

    def verdict(self, ignore=""):
        """Assert iSCSI PDUs were seen and none is malformed or carries an expert error."""
        seen = self.tshark("-Y", "iscsi", "-T", "fields", "-e", "iscsi.opcode")
        assert seen.strip(), "no iSCSI PDU in the capture"
        what = "(_ws.malformed || _ws.expert.severity == error) && !tcp.analysis.flags"
        if ignore:
            what += f" && !({ignore})"
        bad = self.tshark("-Y", what, "-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info",
                          "-e", "_ws.expert.message")
        assert not bad.strip(), f"tshark finds faults in {self.path}:\n{bad}"
        return seen
