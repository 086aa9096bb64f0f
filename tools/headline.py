#!/usr/bin/env python3
"""Rewrites the headline table of the README from the summary of a run of scenarios/drain.yaml.

    tools/headline.py results/reference/drain/summary.json README.md
"""
import json
import re
import sys

summary, readme = sys.argv[1:]
run = json.load(open(summary, encoding="utf-8"))
BEGIN, END = "<!-- The table is written by `make reference`. -->\n", "<!-- End of the table. -->\n"
NONE = "–"


def span(text):
    """`1210.381397ms`, as the summary has it."""
    if text is None:
        return NONE
    value = float(text.removesuffix("ms"))
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.0f} ms"


def spread(values):
    known = [value for value in values if value is not None]
    if not known:
        return NONE
    return str(known[0]) if min(known) == max(known) else f"{min(known)}–{max(known)}"


def dropped(cell):
    count = cell["counts"]["dropped"]
    bound = cell["zero"].get("says")
    return f"**{count}**" if count or bound is None else f"**0** ({bound})"


def row(cell):
    deploy, counts = cell["deploy"], cell["counts"]
    drained = cell["variant"] != "without-drain"
    of = lambda name: spread([replacement.get(name) for replacement in deploy["replacements"]])
    return [
        cell["balancer"], cell["variant"], str(counts["scheduled"]), dropped(cell), str(counts.get("http_5xx", 0)),
        str(counts.get("closed", 0)), of("in_flight_at_deregistration") if drained else NONE,
        of("in_flight_at_termination"), span((deploy["window"] or {}).get("length")), span(deploy["longest_drain"]),
    ]


heading = ["balancer", "deploy", "requests", "dropped", "5xx", "closed", "in flight at deregistration", "at termination",
           "drain window", "longest drain"]
if run["verdict"] != "passed":
    sys.exit(f"{summary}: the run did not pass ({run['verdict']}), so the table stays as it is")
versions = dict.fromkeys(f"{cell['balancer']} {cell['balancer_version']}" for cell in run["cells"])
table = [heading, ["---", "---"] + ["---:"] * 8] + [row(cell) for cell in run["cells"]]
text = "\n".join(f"| {' | '.join(cells)} |" for cells in table)
text += f"\n\n({', '.join(versions)}; {run['environment']['cpus']} CPUs; seed {run['seed']}.)\n"
page = open(readme, encoding="utf-8").read()
page, found = re.subn(f"(?s){re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: BEGIN + text + END, page)
if found != 1:
    sys.exit(f"{readme} has no markers for the table")
open(readme, "w", encoding="utf-8").write(page)
