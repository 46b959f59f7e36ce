"""The bench's own arithmetic: what counts as met, and what build/bench.json holds."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from figures import TARGETS, Figures  # noqa: E402

KEYS = """rollback_vs_spec rollback_vs_shell rollback_failed_requests rollback_failed_requests_slow_start rollback_worst_request_ms
    rollback_lost_writes rollback_own_ms detect_errors_s detect_outage_s detect_unit_failed_s notify_ms backtest_samples_per_s
    schema_check_overhead schema_check_overhead_anew schema_check_rss_kib schema_proven_rows_read explain_ms api_health_vs_nginx
    api_idle_streams_cpu_percent rollback_under_flood_ratio idle_cpu_s_per_hour idle_rss_kib idle_rss_anon_kib idle_children""".split()


def target(key):
    return next(one for one in TARGETS if one.key == key)


@pytest.mark.parametrize("key, values, figure, met", [
    ("rollback_failed_requests", [0, 0, 0, 0, 1], 1, False),  # one is one too many, whatever the median
    ("rollback_failed_requests", [0, 0, 0], 0, True),
    ("rollback_own_ms", [70, 50, 40], 50, True),
    ("rollback_own_ms", [60.2, 60.2, 60.2], 60.2, False),
    ("detect_errors_s", [89.8], 89.8, False),
    ("detect_errors_s", [90, 120, 150], 120, True),
    ("detect_errors_s", [150.3], 150.3, False),
    ("rollback_vs_shell", [1.99], 1.99, False),
])
def test_what_is_met(key, values, figure, met):
    figures = Figures()
    figures.put(key, values)
    assert figures.chosen[key] == figure
    assert figures.met(target(key)) is met


def test_a_ratio_of_medians_is_not_the_median_of_ratios():
    figures = Figures()
    figures.put("rollback_vs_spec", [100, 900], chosen=450)
    assert figures.met(target("rollback_vs_spec"))


def test_the_file_is_flat_and_whole(tmp_path):
    figures = Figures()
    figures.put("idle_rss_kib", [15000, 16000, 15500])
    figures.write(tmp_path / "build" / "bench.json")
    flat = json.loads((tmp_path / "build" / "bench.json").read_text())
    assert list(flat) == KEYS
    assert flat.pop("idle_rss_kib") == 15500
    assert set(flat.values()) == {None}  # what was left out
    assert "not measured" in figures.table()
