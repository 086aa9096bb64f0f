"""p99 over all measured requests of a cell, those that failed counted as slower than any other."""
import json
import sys

import numpy
import pandas

cell = sys.argv[1]
requests = pandas.read_json(f"{cell}/requests.ndjson.zst", lines=True, compression="zstd")
events = [json.loads(line) for line in open(f"{cell}/history.ndjson")]
origin = [event["origin"] for event in events if event["event"] == "scheduled"][-1]

measured = requests[requests.due >= origin]
answers = measured.outcome.map(lambda outcome: outcome.get("answered", {}))
ok = answers.map(lambda answer: 200 <= answer.get("status", 0) < 300 and answer["body"] != "mismatch")
latency = ((measured.end - measured.due) / 1e6).where(ok, numpy.inf)
print(f"{latency.quantile(0.99, interpolation='lower'):.1f} ms, {len(measured)} requests, {(~ok).sum()} dropped")
