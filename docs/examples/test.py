"""Runs the examples of docs/records.md over a real cell, and compares their figures with the cell's summary."""
import json
import pathlib
import subprocess
import sys

import duckdb
from prometheus_client.openmetrics.parser import text_string_to_metric_families

here = pathlib.Path(__file__).parent
rig, run = sys.argv[1], pathlib.Path(sys.argv[2])
cell = sorted((run / "cells").iterdir())[0]
summary = json.loads((cell / "summary.json").read_text())
counts = summary["counts"]
assert counts["dropped"] > 0, "a cell without drops proves nothing"


def said(script):
    return subprocess.run([sys.executable, here / script, cell], check=True, capture_output=True, text=True).stdout


def close(a, b):
    assert abs(a - b) <= 0.002 * b + 0.1, f"{a} is not {b}"


page = (here.parent / "records.md").read_text()
for example in ("ledger.sql", "requests.sql", "requests.py", "latency.py"):
    assert (here / example).read_text() in page, f"docs/records.md does not show {example} as it is"

database = duckdb.connect()
database.execute(f"SET VARIABLE cell = '{cell}'")
seconds = database.execute((here / "requests.sql").read_text()).fetchall()
assert sum(row[1] for row in seconds) == counts["scheduled"], seconds
assert sum(row[2] for row in seconds) == counts["dropped"], seconds
print(f"ok  DuckDB: {counts['dropped']} dropped of {counts['scheduled']} in {len(seconds)} seconds")

backends = database.execute((here / "ledger.sql").read_text()).fetchall()
assert sum(row[1] for row in backends) == summary["books"]["executions"], backends
print(f"ok  DuckDB: {len(backends)} backends in the ledger")

p99, rest = said("requests.py").split(" ms, ")
assert rest == f"{counts['scheduled']} requests, {counts['dropped']} dropped\n", rest
expected = summary["latency_ms"]["p99"]
if expected is None:
    assert p99 == "inf", p99
else:
    close(float(p99), expected)
print(f"ok  pandas: p99 {p99} ms")

for line, name in zip(said("latency.py").splitlines(), ("p50", "p90", "p99", "p999"), strict=True):
    _, value, _, _, total = line.split()
    assert int(total) == counts["ok"], line
    if summary["ok_only_latency_ms"][name] is None:
        continue  # too few requests are slower: rig does not print it
    close(float(value), summary["ok_only_latency_ms"][name])
    print(f"ok  HdrHistogram: {line}")

text = subprocess.run([rig, "report", run, "--format", "openmetrics"], capture_output=True, text=True).stdout
families = {family.name: family for family in text_string_to_metric_families(text)}
dropped = {s.labels["variant"]: s.value for s in families["rig_dropped"].samples}
assert dropped[summary["variant"]] == counts["dropped"], dropped
assert any(sample.value == float("inf") for sample in families["rig_max_seconds"].samples)
print(f"ok  OpenMetrics: {len(families)} families")
