# SPDX-License-Identifier: BSD-3-Clause
"""Daemons that serve what a saveconfig.json says, and the parts of such a file."""

import json
import os

from . import daemon as daemon_mod
from . import initiator
from .daemon import ULIOD

IQN = "iqn.2003-01.org.linux-iscsi.example:t0"


def disk(name, plugin="ramdisk", **more):
    return {"name": name, "plugin": plugin, "wwn": f"wwn-{name}", "size": 1 << 24, **more}


def portal_group(tag, port, luns, acls=(), alua="default_tg_pt_gp", **attributes):
    """A target portal group that everyone may use; luns: (number, storage object), all in one ALUA group."""
    return {
        "tag": tag, "enable": True,
        "attributes": {"authentication": 0, "generate_node_acls": 1, "demo_mode_write_protect": 0, **attributes},
        "luns": [{"index": i, "storage_object": f"/backstores/{so}", "alias": f"link{i}",
                  "alua_tg_pt_gp_name": alua} for i, so in luns],
        "portals": [{"ip_address": "127.0.0.1", "port": port, "iser": False, "offload": False}],
        "node_acls": list(acls)}


def target(port, luns, acls=(), **attributes):
    return target_of(portal_group(1, port, luns, acls, **attributes))


def target_of(*groups):
    return {"fabric": "iscsi", "wwn": IQN, "parameters": {"cmd_completion_affinity": "-1"}, "tpgs": list(groups)}


class ConfigDaemon(daemon_mod.Daemon):
    """uliod --config."""

    def __init__(self, config, **kw):
        super().__init__(disks=(), allow=(), **kw)
        self.config_path = os.path.join(self.dir, "saveconfig.json")
        self._iqn = IQN
        if config is not None:
            self.write(config)

    def write(self, config):
        text = config if isinstance(config, str) else json.dumps(config, sort_keys=True, indent=2) + "\n"
        with open(self.config_path, "w", encoding="utf-8") as f:
            f.write(text)

    def read(self):
        with open(self.config_path, encoding="utf-8") as f:
            return json.load(f)

    def session_at(self, port, **kw):
        """A session with a portal of another port, so of another portal group."""
        return initiator.Session.open((self.host, port), IQN, **kw)

    def command(self):
        return [ULIOD, "--config", self.config_path, "--control", self.control_path, "--state", self.state_dir,
                *self.args]
