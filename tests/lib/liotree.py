# SPDX-License-Identifier: BSD-3-Clause
"""The tree as a map from path to entry: as a dump of LIO says it, as the control socket does, as a mount does.

A path begins with "/" below /sys/kernel/config/target. The text of a file is None if it cannot be
read: it is a secret of the socket, or it is write-only.
"""

import os
import stat
from typing import NamedTuple, Optional

from .control import RpcError

ROOT = "/sys/kernel/config/target"
MODES = {"rw": "-rw-r--r--", "ro": "-r--r--r--", "wo": "--w-------"}


class Entry(NamedTuple):
    mode: str                   # as ls -l shows it
    text: Optional[str] = None  # of a file, without the newline at its end; of a link its target
    error: Optional[str] = None  # what reading it says
    file: Optional[str] = None  # of the socket: "line", "text", "line or empty"; of a mount: "line", "text", "empty"


def _below(path):
    return path[len(ROOT):] or "/"


def parse_dump(path):
    """The dump: a line an entry, the lines of a text behind it."""
    tree, last = {}, None
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    for line in lines[1:]:
        if line.startswith("        | "):
            tree[last] = tree[last]._replace(text=tree[last].text + "\n" * bool(tree[last].text) + line[10:])
        elif line.startswith(("d", "l", "-")):
            mode, kind, rest = line.split(None, 2)
            if kind == "dir":
                last, entry = rest, Entry(mode)
            elif kind == "link":
                last, target = rest.split(" -> ")
                entry = Entry(mode, "/" + target.split("/target/", 1)[1])
            elif rest.endswith("(write-only)"):
                last, entry = rest.split()[0], Entry(mode)
            elif "(read fails: " in rest:
                last, entry = rest.split()[0], Entry(mode, error=rest.split("(read fails: ")[1].rstrip(")"))
            else:
                last, text = rest.split(" =", 1)
                entry = Entry(mode, text[1:] if text.startswith(" ") else text)
            last = _below(last)
            tree[last] = entry
        else:                   # LIO ends each member of a group with a NUL
            assert line in ("", "\\0"), line
    return tree


def walk_socket(ctl, path="/", ours=False):
    """What the socket shows; without what LIO lacks unless `ours`."""
    here = ctl.call("ls", path=path)
    if here["ours"] and not ours:
        return {}
    tree = {path: Entry("drwxr-xr-x")}
    base = path.rstrip("/")
    for name, target in here["links"].items():
        tree[f"{base}/{name}"] = Entry("lrwxrwxrwx", target)
    for a in here["attrs"]:
        if a["ours"] and not ours:
            continue
        text, error = a["value"], None
        if text is None and a["access"] != "wo" and not a["secret"]:
            try:
                ctl.call("get", path=f"{base}/{a['name']}")
            except RpcError as e:
                error = e.data["errno"]
        tree[f"{base}/{a['name']}"] = Entry(MODES[a["access"]], text, error, a["file"])
    for name in here["dirs"]:
        tree.update(walk_socket(ctl, f"{base}/{name}", ours))
    return tree


def walk_mount(top):
    """What a directory shows, such as ROOT of a mount."""
    tree = {}
    for where, dirs, files in os.walk(top):
        for path in [where] + [os.path.join(where, n) for n in files + dirs]:
            mode = stat.filemode(os.lstat(path).st_mode)
            text = error = file = None
            if mode[0] == "l":
                text = os.path.normpath(os.path.join(where, os.readlink(path)))[len(top):]
            elif mode[:2] == "-r":
                try:
                    with open(path, encoding="utf-8") as f:
                        text = f.read()
                    file = "line" if text.endswith("\n") else "text" if text else "empty"
                    text = text.removesuffix("\n")
                except OSError as e:
                    error = e.strerror
            tree[path[len(top):] or "/"] = Entry(mode, text, error, file)
    return tree
