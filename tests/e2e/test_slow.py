# SPDX-License-Identifier: BSD-3-Clause
"""What an administrator asks for may be slow; others are not kept waiting by it, unless they want to change the
same object. The slow thing here: a change of an access state, which takes trans_delay_msecs."""

import json
import select

from test_alua import config, path_of
from lib.ports import give_port, take_port


def begin(c, method, **params):
    """Send a request and do not wait."""
    c.send_raw(json.dumps({"jsonrpc": "2.0", "id": "slow", "method": method, "params": params}).encode() + b"\n")


def is_answered(c):
    return bool(select.select([c.sock], [], [], 0)[0])


def test_others_go_on(serve):
    second = take_port()
    try:
        d = serve(lambda d: config(d, second))
        r0, r1 = path_of(d, "r0"), path_of(d, "r1")
        group = f"{r0}/alua/default_tg_pt_gp"
        with d.control() as slow, d.control() as same, d.control() as other:
            other.call("set", path=f"{group}/trans_delay_msecs", value="4000")
            begin(slow, "set", path=f"{group}/alua_access_state", value="1")
            # Until it has begun, as reading it tells.
            while other.call("get", path=f"{group}/alua_access_state").strip() != "15":
                assert not is_answered(slow)
            begin(same, "set", path=f"{r0}/attrib/emulate_tas", value="1")
            other.call("set", path=f"{r1}/alua/default_tg_pt_gp/nonop_delay_msecs", value="7")
            other.call("mkdir", path="/core/rd_mcp_77")
            other.call("rmdir", path="/core/rd_mcp_77")
            assert other.call("dump", path="/")
            assert other.call("status")
            assert not is_answered(slow) and not is_answered(same)
            assert slow.recv_line()["result"] is None
            same.recv_line()
            assert other.call("get", path=f"{group}/alua_access_state").strip() == "1"
    finally:
        give_port(second)


def test_a_client_that_leaves(serve):
    """What it has asked for is done all the same, and its end is no trouble."""
    second = take_port()
    try:
        d = serve(lambda d: config(d, second))
        group = f"{path_of(d, 'r0')}/alua/default_tg_pt_gp"
        with d.control() as other:
            other.call("set", path=f"{group}/trans_delay_msecs", value="500")
            with d.control() as slow:
                begin(slow, "set", path=f"{group}/alua_access_state", value="1")
                while other.call("get", path=f"{group}/alua_access_state").strip() == "0":
                    pass
            # Waits for the one before it.
            other.call("set", path=f"{group}/nonop_delay_msecs", value="7")
            assert other.call("get", path=f"{group}/alua_access_state").strip() == "1"
    finally:
        give_port(second)


def test_end_meanwhile(serve):
    """The daemon waits for what is under way, answers it, and ends."""
    second = take_port()
    try:
        d = serve(lambda d: config(d, second))
        group = f"{path_of(d, 'r0')}/alua/default_tg_pt_gp"
        with d.control() as slow, d.control() as other:
            other.call("set", path=f"{group}/trans_delay_msecs", value="1000")
            begin(slow, "set", path=f"{group}/alua_access_state", value="1")
            while other.call("get", path=f"{group}/alua_access_state").strip() == "0":
                pass
            other.call("shutdown")
            assert slow.recv_line()["result"] is None
    finally:
        give_port(second)


def test_steps_of_one_request(serve):
    """A request of several steps, the first of them slow, is not stopped by those who wait for it."""
    second = take_port()
    try:
        d = serve(lambda d: config(d, second))
        r0 = path_of(d, "r0")
        group = f"{r0}/alua/default_tg_pt_gp"
        with d.control() as slow, d.control() as same, d.control() as whole, d.control() as other:
            other.call("set", path=f"{group}/trans_delay_msecs", value="2000")
            begin(slow, "transaction", ops=[
                {"op": "set", "path": f"{group}/alua_access_state", "value": "1"},
                {"op": "set", "path": f"{group}/nonop_delay_msecs", "value": "7"},
                {"op": "mkdir", "path": "/core/rd_mcp_77"}])
            while other.call("get", path=f"{group}/alua_access_state").strip() != "15":
                assert not is_answered(slow)
            begin(same, "set", path=f"{r0}/attrib/emulate_tas", value="1")
            begin(whole, "transaction", ops=[{"op": "rmdir", "path": "/core/rd_mcp_77"}])
            other.call("status")
            assert "error" not in slow.recv_line()
            same.recv_line()
            assert "error" not in whole.recv_line()
    finally:
        give_port(second)
