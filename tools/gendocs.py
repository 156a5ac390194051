#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make docs/scsi-support.md from the tables of commands, functions and pages in the source.

(docs/attributes.md is made by uliod --dump-attributes.) With --check nothing is written: exit status 1
if the file is not what the tables say.

usage: tools/gendocs.py [--root DIR] [--check]
"""

import argparse
import os
import re
import sys

OUTPUT = "docs/scsi-support.md"

HEAD = """# SCSI support

Made by `tools/gendocs.py` from the tables in the source; do not edit.

What is not here is answered as the standards say: INVALID COMMAND OPERATION CODE, INVALID FIELD IN CDB,
or FUNCTION REJECTED. Initiators can ask for the same by REPORT SUPPORTED OPERATION CODES and REPORT
SUPPORTED TASK MANAGEMENT FUNCTIONS.
"""

COMMANDS_HEAD = """
## Commands
`medium`: refused while the disk is not ready. `write`: and on a write protected LUN. `reserved`: runs in spite
of RESERVE by another initiator. `attention`: runs in spite of a pending unit attention. `any LUN`: also for
LUNs that show nothing. `head`: always treated as HEAD OF QUEUE. Of persistent reservations that keep an
initiator out: `any type`: runs in spite of each; `write exclusive`: in spite of those types; `own rules`: as the
standard says for that command alone (START STOP UNIT that starts, PREVENT ALLOW MEDIUM REMOVAL that allows,
PERSISTENT RESERVE OUT by key and holder, RESERVE and RELEASE by SPC-4 5.12.3). `standby`, `unavailable`,
`transitioning`, `offline`: runs in this asymmetric access state, too (in the active ones all do). The timeout is
the one that is recommended to initiators, in seconds.

| code | command | CDB bytes | only with | rules | timeout |
|---|---|---|---|---|---|
"""

# what a reader is told of a rule, in this order
WORDS = [("RULE_MEDIUM", "medium"), ("RULE_WRITES", "write"), ("RULE_R6_OK", "reserved"),
         ("RULE_PR_OK", "any type"), ("RULE_PR_READ", "write exclusive"), ("RULE_PR_SELF", "own rules"),
         ("RULE_NO_UA", "attention"), ("RULE_ANY_LUN", "any LUN"), ("RULE_HOQ", "head"),
         ("RULE_ALUA_STANDBY", "standby"), ("RULE_ALUA_UNAVAILABLE", "unavailable"),
         ("RULE_ALUA_TRANSITION", "transitioning"), ("RULE_ALUA_OFFLINE", "offline")]

# what decides of a command without being one of the attributes in attrib/
ELSEWHERE = {"tpgs": "`alua_access_type`", "referrals": "`lba_map`"}


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def value(expression, names):
    """A C constant expression of numbers, names, |, &, ~, <<, + and parentheses."""
    python = re.sub(r"\b[A-Za-z_]\w*", lambda m: str(names[m.group()]), " ".join(expression.split()))
    if not re.fullmatch(r"[\sxXa-fA-F0-9|&~<+()-]*", python):
        raise ValueError(f"not a constant: {expression}")
    return eval(python, {"__builtins__": {}})  # pylint: disable=eval-used


def constants(text, names):
    """Adds the enumerators that have a value."""
    for body in re.findall(r"\benum\s*\w*\s*\{(.*?)\}", without_comments(text), re.S):
        for entry in body.split(","):
            m = re.fullmatch(r"\s*(\w+)\s*=\s*(.+?)\s*", entry, re.S)
            if m:
                names[m.group(1)] = value(m.group(2), names)


def arguments(text, at):
    """The arguments of a call whose parenthesis opens at text[at]."""
    found, start, depth, quoted = [], at + 1, 0, False
    for i in range(at, len(text)):
        c = text[i]
        if c == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif c == "(":
            depth += 1
        elif c == ")":
            depth -= 1
        if (c == "," and depth == 1) or depth == 0:
            found.append(" ".join(text[start:i].split()))
            start = i + 1
        if depth == 0:
            return found
    raise ValueError("a parenthesis is not closed")


def rows(text, macro):
    """The arguments of each row of a table."""
    text = without_comments(text)
    return [arguments(text, m.end() - 1) for m in re.finditer(rf"^{macro}\(", text, re.M)]


def conditions(root):
    """op_has_x -> the attributes that it asks, or those that the lu_conf_x() asks that it calls."""
    asked = {}
    for path in ("src/engine/lu.h", "src/engine/optable.c"):
        found = re.findall(r"bool (op_has_\w+|lu_conf_\w+)\([^{;]*\n\{\n(.*?)\n\}", read(root, path), re.S)
        for name, body in found:
            words = re.findall(r"(lu_conf_\w+)\(|c(?:onf)?->a\.(\w+)|conf->(tpgs|referrals)", body)
            asked[name] = " or ".join(ELSEWHERE.get(other) or asked.get(call) or f"`{attr}`"
                                      for call, attr, other in words)
    return asked


def commands(root):
    names, out = {"NO_SA": -1}, COMMANDS_HEAD
    constants(read(root, "src/scsi/opcodes.h"), names)
    constants(read(root, "src/engine/optable.h"), names)
    table = read(root, "src/engine/optable.tbl.h")
    for name, body in re.findall(r"^#define (READS|WRITES|ALWAYS|PRIN|PROUT) (.+)$", table, re.M):
        names[name] = value(body, names)
    has = conditions(root)
    for name, opcode, sa, cdb_len, _run, rules, timeout, present, *_usage in rows(table, "OP"):
        code, action, bits = (value(x, names) for x in (opcode, sa, rules))
        words = ", ".join(word for rule, word in WORDS if bits & names[rule])
        number = f"{code:02X}h" + (f"/{action:02X}h" if action >= 0 else "")
        needs = "" if present == "NULL" else has[present]
        out += f"| {number} | {name[1:-1]} | {cdb_len} | {needs} | {words} | {'' if timeout == '0' else timeout} |\n"
    return out


def functions(root):
    text = without_comments(read(root, "src/engine/tmf.c"))
    table = re.search(r"rows\[TMF_FUNCTION_COUNT\] = \{(.*?)\n\};", text, re.S).group(1)
    found = re.findall(r"\[TMF_(\w+)\] = \{ \.scope", table)
    return "\n## Task management functions\n" + "".join(f"- {name.replace('_', ' ')}\n" for name in found)


def vpd_pages(root):
    names = {}
    constants(read(root, "src/scsi/vpd.h").split("VPD_SERIAL_MAX")[0] + "}", names)
    table = re.search(r"vpd_rows\[\] = \{(.*?)\n\};", read(root, "src/engine/spc/inquiry.c"), re.S).group(1)
    out = "\n## Vital product data pages\n"
    for page in re.findall(r"\b(VPD_\w+)", table):
        out += f"- {names[page]:02X}h {page[4:].replace('_', ' ').capitalize()}\n"
    return out


def mode_pages(root):
    out = "\n## Mode pages\n"
    for _name, page, subpage, _bytes, text in rows(read(root, "src/scsi/modepage.tbl.h"), "MODE_PAGE"):
        sub = int(subpage, 16)
        out += f"- {int(page, 16):02X}h{f'/{sub:02X}h' if sub else ''} {text.strip(chr(34))}\n"
    return out


def scsi_support(root):
    return HEAD + commands(root) + functions(root) + vpd_pages(root) + mode_pages(root)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser.add_argument("--check", action="store_true", help="compare only")
    args = parser.parse_args()
    text, path = scsi_support(args.root), os.path.join(args.root, OUTPUT)
    if args.check:
        if not os.path.exists(path) or read(args.root, OUTPUT) != text:
            print(f"{OUTPUT}: is not what the tables say: run tools/gendocs.py")
            return 1
        return 0
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
