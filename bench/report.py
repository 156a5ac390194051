# SPDX-License-Identifier: BSD-3-Clause
"""Medians, ratios, the table, and the verdict on whether the run counts at all."""

import statistics

BARE_SHARE_OF_TGT = 1 / 3       # of tgt's CPU per 4 KiB command that bare may cost
BARE_GBIT = 15.0                # that bare must move at 256 KiB
NOISE = 0.25                    # of the machine's CPU time taken by others: worth a warning

COLUMNS = [     # key, heading, format; a smaller CPU or latency is better, the rest larger
    ("iops", "IOPS", "%.0f"),
    ("gbit", "Gbit/s", "%.2f"),
    ("cpu_per_million", "CPU s/M", "%.2f"),
    ("cpu_per_gib", "CPU s/GiB", "%.3f"),
    ("p50_us", "p50 us", "%.1f"),
    ("p99_us", "p99 us", "%.1f"),
    ("others", "others", "%.0f%%"),
]
IDLE_COLUMNS = [
    ("wakeups_per_second", "wakes/s", "%.1f"),
    ("idle_cpu", "CPU", "%.2f%%"),
    ("kib_per_session", "KiB/session", "%.1f"),
]
PERCENT = ("others", "idle_cpu")

# What uliod is held to: load, key, against which peer (or which other load of its own) and how,
# limit. "floor" goals must hold in every release; "budget" is what the design aims at.
GOALS = [
    ("floor", "r4k", "iops", "x tgt >=", 1.3),
    ("floor", "r4k", "iops", "x bare >=", 0.7),
    ("floor", "r4k", "cpu_per_million", "x tgt <=", 0.5),
    ("floor", "r256k", "gbit", ">=", 10),
    ("floor", "r256k", "gbit", "x bare >=", 0.8),
    ("floor", "w256k", "gbit", ">=", 10),
    ("floor", "w256k", "gbit", "x bare >=", 0.8),
    ("budget", "r4k", "cpu_per_million", "x bare <=", 1.15),
    ("budget", "r4k", "iops", "x bare >=", 0.9),
    ("budget", "r256k", "gbit", "x bare >=", 0.95),
    ("budget", "r256k", "cpu_per_gib", "x bare <=", 1.15),
    ("budget", "w256k", "gbit", "x bare >=", 0.95),
    ("budget", "w256k", "cpu_per_gib", "x bare <=", 1.15),
    ("budget", "r1m", "gbit", "x bare >=", 0.95),
    ("budget", "r1m", "cpu_per_gib", "x bare <=", 1.15),
    ("budget", "w1m", "gbit", "x bare >=", 0.95),
    ("budget", "w1m", "cpu_per_gib", "x bare <=", 1.15),
    ("budget", "r4k-2s", "cpu_per_million", "x r4k <=", 1.1),
    ("budget", "r4k-qd1", "p50_us", "- bare <=", 5),
    ("budget", "r4k-qd1", "p99_us", "- bare <=", 20),
    ("budget", "r4k-qd1-pin", "p50_us", "- bare <=", 5),
    ("budget", "r4k-qd1-pin", "p99_us", "- bare <=", 20),
    ("budget", "idle-100", "idle_cpu", "<=", 0.001),
    ("budget", "idle-100", "kib_per_session", "<=", 32),
]
RATIOS = [("iops", "IOPS"), ("cpu_per_million", "CPU"), ("p50_us", "p50")]


def derive(load, sample):
    """Add to a sample what follows from its raw numbers."""
    n = sample["commands"]
    if not n:
        sample["wakeups_per_second"] = sample["switches"] / sample["idle_seconds"]
        sample["idle_cpu"] = sample["server_cpu_seconds"] / sample["idle_seconds"]
        return
    sample["gbit"] = sample["mb_per_second"] * 8 / 1e3
    sample["cpu_per_million"] = sample["server_cpu_seconds"] / n * 1e6
    sample["cpu_per_gib"] = sample["server_cpu_seconds"] / (n * load.size / (1 << 30))
    if "latency_us" in sample:
        sample["p50_us"] = sample["latency_us"]["p50"]
        sample["p99_us"] = sample["latency_us"]["p99"]


def median(samples, key):
    values = [s[key] for s in samples if s.get(key) is not None]
    return statistics.median(values) if values else None


def medians(samples):
    keys = [k for k, _, _ in COLUMNS + IDLE_COLUMNS] + ["client_cpu_seconds"]
    return {k: median(samples, k) for k in keys if median(samples, k) is not None}


def ratio(of, to, key):
    if not of or not to or of.get(key) is None or not to.get(key):
        return None
    return of[key] / to[key]


def verdict(table):
    """(True, reasons) if the run is void; (None, reasons) if that cannot be told."""
    def cell(load, peer, key):
        return table.get(load, {}).get(peer, {}).get(key)

    bare, tgt = cell("r4k", "bare", "cpu_per_million"), cell("r4k", "tgt", "cpu_per_million")
    gbit = cell("r256k", "bare", "gbit")
    if None in (bare, tgt, gbit):
        return None, ["not checked: it needs bare and tgt under r4k and bare under r256k"]
    void = bare > tgt * BARE_SHARE_OF_TGT or gbit < BARE_GBIT
    return void, ["bare costs %.2f CPU s per million 4 KiB reads, tgt %.2f: %.2f of it (at most "
                  "%.2f)" % (bare, tgt, bare / tgt, BARE_SHARE_OF_TGT),
                  "bare moves %.1f Gbit/s at 256 KiB (at least %.0f)" % (gbit, BARE_GBIT)]


def goal_sides(table, load, how):
    """The two cells that a goal compares; the second is None for a plain limit."""
    own, words = table.get(load, {}).get("uliod"), how.split()
    if len(words) == 1:
        return own, None
    if words[1] in table:
        return own, table[words[1]].get("uliod")
    return own, table.get(load, {}).get(words[1])


def compared(own, other, how):
    words = how.split()
    if len(words) == 1:
        return own
    return own - other if words[0] == "-" else own / other


def extremes(own, other, key, how):
    """The smallest and the largest value that any samples of both sides give."""
    pick = [[s[key] for s in side if key in s] for side in (own, other) if side]
    if len(pick) == 1:
        return min(pick[0]), max(pick[0])
    return (compared(min(pick[0]), max(pick[1]), how), compared(max(pick[0]), min(pick[1]), how))


def goals(table, samples):
    """Each goal that the run can tell: kind, load, key, how, limit, value, and whether it is met:
    "yes" or "no" by the medians; where others used the CPUs only if all samples agree, else
    "noise"."""
    told = []
    for kind, load, key, how, limit in GOALS:
        own, other = goal_sides(table, load, how)
        if not own or own.get(key) is None:
            continue
        if len(how.split()) > 1 and not (other and other.get(key)):
            continue
        value = compared(own[key], other[key] if other else None, how)
        verdicts = [value >= limit if how.endswith(">=") else value <= limit]
        if max(own.get("others", 0), (other or {}).get("others", 0)) > NOISE:
            for v in extremes(*goal_sides(samples, load, how), key, how):
                verdicts.append(v >= limit if how.endswith(">=") else v <= limit)
        word = "yes" if all(verdicts) else "noise" if any(verdicts) else "NO"
        told.append((kind, load, key, how, limit, value, word))
    return told


def print_goals(table, samples):
    rows = [["goal", "load", "what", "limit", "measured", "met"]]
    for kind, load, key, how, limit, value, word in goals(table, samples):
        rows.append([kind, load, "%s %s" % (key, how), "%g" % limit, "%.3f" % value, word])
    if len(rows) > 1:
        print("\n" + lay_out(rows))


def lay_out(rows):
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    lines = []
    for n, r in enumerate(rows):
        cells = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths))]
        lines.append("| " + " | ".join(cells) + " |")
        if n == 0:
            marks = ["-" * w if i < 2 else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
            lines.append("| " + " | ".join(marks) + " |")
    return "\n".join(lines)


def print_table(table, peers, columns, to, ratios):
    """One row for each load and peer: medians, then their ratios to the peers in `to`."""
    rows = [["load", "peer"] + [h for _, h, _ in columns] +
            ["%s x %s" % (h, p) for p in to for _, h in ratios]]
    for load, cells in table.items():
        for peer in (p for p in peers if p in cells):
            row = [load, peer]
            for key, _, fmt in columns:
                v = cells[peer].get(key)
                row.append("" if v is None else fmt % (v * 100 if key in PERCENT else v))
            for p in to:
                for key, _ in ratios:
                    r = ratio(cells[peer], cells.get(p), key)
                    row.append("" if r is None or p == peer else "%.2f" % r)
            rows.append(row)
    if len(rows) > 1:
        print("\n" + lay_out(rows))


def print_tables(table, peers):
    idle = {k for k, cells in table.items()
            if any("wakeups_per_second" in c for c in cells.values())}
    to = [p for p in ("bare", "tgt") if p in peers]
    print_table({k: v for k, v in table.items() if k not in idle}, peers, COLUMNS, to, RATIOS)
    print_table({k: v for k, v in table.items() if k in idle}, peers, IDLE_COLUMNS, [], [])


def print_memory(memory):
    print("\nresident memory, MiB (a RAM disk's own %s MiB taken off after the fill)" %
          memory["disk_mib"])
    rows = [["peer", "version", "at start", "after the runs"]]
    for peer, m in memory["peers"].items():
        rows.append([peer, m["version"] or "", "%.1f" % m["start_mib"], "%.1f" % m["end_mib"]])
    print(lay_out(rows))


def print_result(result):
    print_tables(result["medians"], result["peers"])
    print_goals(result["medians"], result["samples"])
    print_memory(result["memory"])
    worst = max((c.get("others", 0) for cells in result["medians"].values()
                 for c in cells.values()), default=0)
    if worst > NOISE:
        print("\nNoise: other processes took up to %.0f %% of the CPU time while a load ran. Rates and "
              "latencies suffer from that, and CPU per command too, because commands then come in "
              "other batches." % (worst * 100))
    print()
    void = result["void"]
    print({True: "VOID", False: "The run counts", None: "Whether the run counts is"}[void] +
          ": " + "; ".join(result["void_reasons"]))
