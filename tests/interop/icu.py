# SPDX-License-Identifier: BSD-3-Clause
"""Runner and parser of libiscsi's conformance suite, iscsi-test-cu, and of its list of expectations."""

import os
import re
import subprocess
import tomllib

EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.toml")


class Outcome:
    """One test of the suite: passed, failed or skipped, with the lines that say why."""

    def __init__(self, name, state, why):
        self.name, self.state, self.why = name, state, why

    def __repr__(self):
        return f"{self.name}: {self.state}" + (f" ({self.why[0]})" if self.why else "")


def parse(text):
    """{"Suite.Test": Outcome} of iscsi-test-cu's verbose output; asserts that the run came to its end and
    that the counts of its summary agree."""
    out, suite, name, lines = {}, None, None, []

    def close():
        if name is None:
            return
        body = "\n".join(lines)
        full = f"{suite}.{name}"
        # What follows the verdict (but for the list of assertions) is said by the suite's clean-up.
        verdict = re.search(r"^(passed|FAILED)", body, re.M)
        assert verdict, f"{full} has no verdict:\n{body[-1000:]}"
        failed = verdict[1] == "FAILED"
        skips = re.findall(r"\[SKIPPED\] (.*)", body[:verdict.start()])
        assert full not in out, f"{full} ran twice"
        state = "failed" if failed else "skipped" if skips else "passed"
        why = re.findall(r"^\s*\d+\. (\S+:\d+\s+- .*)", body, re.M) if failed else skips
        out[full] = Outcome(full, state, list(dict.fromkeys(why)))

    for line in text.splitlines():
        m = re.match(r"Suite: (\S+)", line)
        n = re.match(r"  Test: (\S+) \.\.\.(.*)", line)
        if m or n or line.startswith("Run Summary:"):
            close()
            name, lines = None, []
        if m:
            suite = m[1]
        elif n:
            name, lines = n[1], [n[2]]
        else:
            lines.append(line)
    close()
    m = re.search(r"^\s+tests\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", text, re.M)
    assert m, f"iscsi-test-cu did not come to its summary; its last lines:\n{text[-3000:]}"
    total, ran, _, failed, inactive = map(int, m.groups())
    assert inactive == 0 and ran == total == len(out), f"{total} tests, {ran} ran, {len(out)} read"
    seen = sum(1 for o in out.values() if o.state == "failed")
    assert failed == seen, f"the summary counts {failed} failures, the parser {seen}"
    return out


def run(url, url2, log, timeout=600, what="ALL"):
    """Run the suite (destructive!) and return its outcomes. -v instead of -n names the test that a
    message belongs to; the tests are the same."""
    cmd = ["iscsi-test-cu", "-d", "-S", "-v", "-t", what, url, url2]
    with open(log, "wb") as f:
        subprocess.run(cmd, stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.STDOUT, timeout=timeout,
                       check=False)
    with open(log, encoding="utf-8", errors="replace") as f:
        return parse(f.read())


class Expected:
    """expected.toml: entries [[skip]] and [[fail]] with tests, disks (default: every one) and reason."""

    def __init__(self, path=EXPECTED):
        with open(path, "rb") as f:
            table = tomllib.load(f)
        assert set(table) <= {"skip", "fail"}, f"unknown tables in {path}"
        self.rows = []
        for kind, state in (("skip", "skipped"), ("fail", "failed")):
            for row in table.get(kind, []):
                assert set(row) <= {"tests", "disks", "reason"} and row["tests"]
                assert len(row["reason"]) > 10, f"{row['tests']}: a reason, please"
                self.rows.append((state, row["tests"], row.get("disks"), row["reason"]))

    def disks(self):
        return {d for _, _, disks, _ in self.rows for d in disks or ()}

    def compare(self, disk, outcomes):
        """Lines for every difference between what is listed and what happened."""
        listed = {}
        for state, tests, disks, reason in self.rows:
            for t in tests:
                if disks is None or disk in disks:
                    assert t not in listed, f"{t} is listed twice for {disk}"
                    listed[t] = (state, reason)
        bad = []
        for name, o in outcomes.items():
            want = listed.get(name, ("passed", ""))[0]
            if o.state == want:
                continue
            if o.state == "passed":
                bad.append(f"{name} passes on {disk}: take it off the list ({listed[name][1]})")
            else:
                bad.append(f"{name} {o.state} on {disk}, listed as {want}: " + "; ".join(o.why[:4]))
        bad += [f"{name} is listed and not in the suite" for name in listed if name not in outcomes]
        return bad
