"""Percentiles of the requests of a cell that ended well, from its HdrHistogram log."""
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

cell = sys.argv[1]
ok = HdrHistogram(1, 3_600_000_000, 3)
reader = HistogramLogReader(f"{cell}/latency.hlog", ok)
while (interval := reader.get_next_interval_histogram()) is not None:
    if interval.get_tag() == "ok":
        ok.add(interval)
for percentile in (50, 90, 99, 99.9):
    print(f"p{percentile} {ok.get_value_at_percentile(percentile) / 1000:.1f} ms of {ok.get_total_count()}")
