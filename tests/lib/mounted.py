# SPDX-License-Identifier: BSD-3-Clause
"""Daemons whose tree is mounted: for all at a directory, or for one command by "ulio exec"."""

import os
import subprocess

from .daemon import ULIO, sanitizer_env
from .saveconfig import ConfigDaemon
from .wait import SCALE


def mount_of(directory):
    """The line of /proc/self/mountinfo of the mount at a directory, None if there is none."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        found = [line for line in f if line.split()[4] == directory]
    return found[-1] if found else None


class MountedDaemon(ConfigDaemon):
    """uliod --mount=DIR with nothing in its tree; path() makes paths in it."""

    def __init__(self, mount=True, args=(), **kw):
        super().__init__(None, args=args, **kw)
        self.mount_dir = os.path.join(self.dir, "config")
        os.makedirs(self.mount_dir, exist_ok=True)
        if mount:
            self.args.append(f"--mount={self.mount_dir}")

    def path(self, *parts):
        return os.path.join(self.mount_dir, "target", *parts)

    def exec(self, *command, check=True, timeout=60, **kw):
        """What a command wrote to standard output that ran in a namespace with the tree."""
        done = subprocess.run([ULIO, "--control", self.control_path, "exec", "--", *command], capture_output=True,
                              text=True, timeout=timeout * SCALE, check=False,
                              env={**sanitizer_env(self.dir), **kw.pop("env", {})}, **kw)
        if not check:
            return done
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.log()[-4000:]}"
        return done.stdout
