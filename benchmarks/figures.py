"""The figures, their targets, and how they are shown."""

import json
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Target:
    key: str  # in bench.json
    title: str
    low: float | None  # None: no bound on that side
    high: float | None
    digits: int = 0
    worst: bool = False  # a promise about each single time, not about the middle: the highest counts

    @property
    def words(self):
        if self.low is None:
            return f"{self.high:g}" if self.high == 0 else f"at most {self.high:,g}"
        return f"at least {self.low:,g}" if self.high is None else f"{self.low:g} to {self.high:g}"


TARGETS = [
    Target("rollback_vs_spec", "sooner than the specification's commands, times", 400, None),
    Target("rollback_vs_shell", "sooner than the shortest script, times", 2, None, digits=2),
    Target("rollback_failed_requests", "requests failed by the rollback", None, 0, worst=True),
    Target("rollback_failed_requests_slow_start", "  ... when the old release takes 2 s to start", None, 0, worst=True),
    Target("rollback_worst_request_ms", "longest request beyond what it must wait, ms", None, 150, digits=1),
    Target("rollback_lost_writes", "acknowledged writes lost", None, 0, worst=True),
    Target("rollback_own_ms", "the controller's own share of a rollback, ms", None, 60, digits=1),
    Target("detect_errors_s", "5 % errors to the decision, s", 90, 150, digits=1),
    Target("detect_outage_s", "total outage to the decision, s", None, 12, digits=2),
    Target("detect_unit_failed_s", "failed unit to the decision, s", None, 1, digits=3),
    Target("notify_ms", "decision to Alertmanager's webhook, ms", None, 1000, digits=1),
    Target("backtest_samples_per_s", "backtest of a file, samples a second", 5_000_000, None),
    Target("schema_check_overhead", "a schema taken back, with the rows' check over without", None, 1.3, digits=2),
    Target("schema_check_overhead_anew", "  ... where the table is made anew, every column compared", None, 1.3, digits=2),
    Target("schema_check_rss_kib", "  ... the check's own memory at its peak, KiB", None, 64 * 1024),
    Target("schema_proven_rows_read", "  ... rows read where the catalogue proves them", None, 0, worst=True),
    Target("explain_ms", "explain and replay, from the shell, ms", None, 50, digits=1),
    Target("api_health_vs_nginx", "GET health, of nginx's static answers a second", 0.9, None, digits=2),
    Target("api_idle_streams_cpu_percent", "1,000 idle event streams, % of a core", None, 1, digits=2),
    Target("rollback_under_flood_ratio", "a rollback under a flood of requests, times", None, 1.2, digits=2),
    Target("idle_cpu_s_per_hour", "idle: CPU, s an hour", None, 3.6, digits=2),
    Target("idle_rss_kib", "idle: resident, KiB", None, 20 * 1024),
    Target("idle_rss_anon_kib", "  ... of it anonymous, KiB", None, 4 * 1024),
    Target("idle_children", "idle: child processes in a minute", None, 0, worst=True),
]


class Figures:
    """What was measured for each key: a list of values, and, for a ratio of medians, that ratio."""

    def __init__(self):
        self.values, self.chosen = {}, {}

    def put(self, key, values, chosen=None):
        target = next(one for one in TARGETS if one.key == key)
        self.values[key] = list(values)
        self.chosen[key] = chosen if chosen is not None else (max if target.worst else median)(self.values[key])

    def met(self, target):
        value = round(self.chosen[target.key], target.digits)
        return (target.low is None or value >= target.low) and (target.high is None or value <= target.high)

    def table(self):
        lines = [f"{'':<49} {'figure':>9}  {'target':<15} {'':<8} {'min':>9} {'median':>9} {'max':>9}   n"]
        for target in TARGETS:
            if target.key not in self.chosen:
                lines.append(f"{target.title:<49} {'-':>9}  {target.words:<15} not measured")
                continue
            values = self.values[target.key]
            numbers = [f"{one:>9,.{target.digits}f}" for one in (self.chosen[target.key], min(values), median(values), max(values))]
            met = "met" if self.met(target) else "not met"
            lines.append(f"{target.title:<49} {numbers[0]}  {target.words:<15} {met:<8} {' '.join(numbers[1:])} {len(values):>3}")
        return "\n".join(lines)

    def write(self, path):
        """Flat; null for what was left out."""
        flat = {target.key: round(self.chosen[target.key], 3) if target.key in self.chosen else None for target in TARGETS}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(flat, indent=2) + "\n")


def spread(values, digits=1, scale=1e3):
    """min / median / max, in ms unless told."""
    return " / ".join(f"{one * scale:,.{digits}f}" for one in (min(values), median(values), max(values)))
