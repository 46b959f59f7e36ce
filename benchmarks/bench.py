"""Measures rollbacks side by side: ours, the specification's commands and the shortest shell script; then how soon a bad release is
found, and what watching costs. Started by ./bench. Prints what it measured and writes build/bench.json; a target that is missed is
shown, it is no failure."""

import argparse
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import asking
import backtest
import detecting
import explain
import idling
import notify
import schema
import switching
from figures import Figures, spread
from stage import HERE, why_not

RESULT = HERE.parent / "build" / "bench.json"
EX_SOFTWARE, EX_NOPERM, EX_INTERRUPTED = 70, 77, 130
LIMIT_S = 20 * 60
TOGETHER = 5  # hosts at a time, where what is timed is seconds long or is CPU time


def say(text=""):
    print(text, flush=True)


def busy_percent(length=1.0):
    """How much of the machine others use."""

    def look():
        ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(ticks), ticks[3] + ticks[4]

    (all_before, idle_before), _ = look(), time.sleep(length)
    all_after, idle_after = look()
    return 100 * (1 - (idle_after - idle_before) / max(1, all_after - all_before))


def together(measure, count):
    """One host for each, at the same time."""
    pool = ThreadPoolExecutor(TOGETHER)
    try:
        return list(pool.map(lambda number: measure(number, count), range(count)))
    finally:  # who has failed or is stopped doesn't wait for the others: their hosts end with this process
        pool.shutdown(wait=False, cancel_futures=True)


# ---- the three, side by side ----

KINDS = {
    "ours": (switching.ours, False),
    "shell": (lambda slow: switching.script("shortest.sh", slow), False),
    "ours, slow start": (switching.ours, True),
    "shell, slow start": (lambda slow: switching.script("shortest.sh", slow), True),
}


def one_round(number, rounds, measured):
    """Alone on the machine, one after the other, so that all see the same state of it."""
    for name, (measure, slow) in KINDS.items():
        switch = measure(slow)
        measured.setdefault(name, []).append(switch)
        say(f"  {number}/{rounds} {name:<18} first answer {switch.to_answer * 1e3:>8,.1f} ms, {switch.failed:>4} failed, "
            f"longest request {switch.longest * 1e3:>8,.1f} ms")


def measure_switching(rounds, by_the_book):
    say(f"== Rollbacks at 200 requests a second ({rounds} rounds)")
    measured = {}
    before = (rounds + 1) // 2
    for number in range(1, before + 1):
        one_round(number, rounds, measured)
    if by_the_book:
        say(f"  the specification's commands, on {rounds} hosts at once: they mostly sleep ...")
        measured["specification"] = together(lambda *_: switching.script("by-the-book.sh"), rounds)
    for number in range(before + 1, rounds + 1):
        one_round(number, rounds, measured)
    return measured


def show_switching(measured):
    say()
    say(f"{'min / median / max':<18} {'decision to first answer, ms':>32} {'to sure of it, ms':>32} {'requests failed':>22} "
        f"{'longest request, ms':>32} {'lost':>4}")
    for name, switches in measured.items():
        to_answer, to_knowing = ([getattr(one, key) for one in switches] for key in ("to_answer", "to_knowing"))
        say(f"{name:<18} {spread(to_answer):>32} {spread(to_knowing):>32} "
            f"{spread([one.failed for one in switches], 0, 1):>22} {spread([one.longest for one in switches]):>32} "
            f"{max(one.lost for one in switches):>4}")
    for name in ("ours", "ours, slow start"):
        say(f"\nThe longest request, {name}, ms:")
        for part in measured[name][0].parts:
            say(f"  {part:<28} {spread([one.parts[part] for one in measured[name]])}")
    say("\nOur steps, ms. The controller's own share is all of it up to restore_traffic, without the drain and systemd's two jobs. The jobs"
        "\nare timed by systemd's own time stamps: what it does before it says \"activating\" (a kernel call to move the new process into"
        "\nits cgroup often takes 10 ms) counts as ours.")
    for key in measured["ours"][0].steps:
        say(f"  {key:<28} {spread([one.steps[key] for one in measured['ours']], 2)}")


def keep_switching(measured, figures):
    us, slow, shell = measured["ours"], measured["ours, slow start"], measured["shell"]

    def ratio(key, others):
        values = [other.to_answer / one.to_answer for one, other in zip(us, others)]
        figures.put(key, values, median(one.to_answer for one in others) / median(one.to_answer for one in us))

    if "specification" in measured:
        ratio("rollback_vs_spec", measured["specification"])
    ratio("rollback_vs_shell", shell)
    figures.put("rollback_failed_requests", [one.failed for one in us])
    figures.put("rollback_failed_requests_slow_start", [one.failed for one in slow])
    figures.put("rollback_worst_request_ms", [one.parts["beyond"] * 1e3 for one in us])
    figures.put("rollback_lost_writes", [one.lost for one in us + slow])
    figures.put("rollback_own_ms", [one.own * 1e3 for one in us])


# ---- the rest ----


def measure_idling(count, length, figures):
    say(f"== Idle at 1 s sampling: {count} hosts, {length} s")
    idles = together(lambda number, of: idling.idle(number, of, length), count)
    for key in ("cpu_s_per_hour", "rss_kib", "rss_anon_kib", "children"):
        figures.put(f"idle_{key}", [getattr(one, key) for one in idles])


def measure_asking(rounds, length, figures):
    say(f"== GET /api/v3/health and nginx, one core each, {length} s, {rounds} rounds")
    ratios = asking.health_vs_nginx(rounds, length)
    for us, them in ratios:
        say(f"  {us:,.0f} a second, nginx {them:,.0f}: {us / them:.2f}")
    figures.put("api_health_vs_nginx", [us / them for us, them in ratios])
    say(f"== {asking.STREAMS:,} event streams while nothing changes")
    count = rounds if length < 5 else max(rounds, 5)
    figures.put("api_idle_streams_cpu_percent", together(lambda number, of: asking.idle_streams(number, of, 6 * length), count))
    say(f"== Rollbacks with and without a flood of requests ({asking.FLOOD} connections)")
    pairs = []
    for _ in range(rounds):
        pairs.append((switching.ours().to_answer, asking.flooded().to_answer))
        say(f"  {pairs[-1][0] * 1e3:,.1f} ms without, {pairs[-1][1] * 1e3:,.1f} ms with")
    without, with_it = zip(*pairs)
    figures.put("rollback_under_flood_ratio", [after / before for before, after in pairs], median(with_it) / median(without))


def measure_detecting(count, on_defaults, figures):
    say(f"== A unit that fails: {count} times")
    figures.put("detect_unit_failed_s", [detecting.unit_failed(number, count) for number in range(count)])
    say(f"== A total outage: {count} hosts, {' and '.join(detecting.OUTAGES)}")
    figures.put("detect_outage_s", together(detecting.outage, count))
    if on_defaults:
        say(f"== 5 % errors on the defaults: {count} hosts, each at another moment of the interval (about 3 minutes)")
        figures.put("detect_errors_s", together(detecting.errors, count))


def measure_notifying(count, figures):
    say(f"== A real Alertmanager hears of it: {count} times")
    figures.put("notify_ms", [notify.notify(number, count) * 1e3 for number in range(count)])


def measure_backtest(rounds, figures):
    say(f"== A backtest of {backtest.SAMPLES:,} samples: {rounds} times")
    figures.put("backtest_samples_per_s", backtest.samples_per_second(rounds))


def measure_schema(count, rows, figures):
    say(f"== A schema is taken back, {rows:,} rows: {count} times")
    measured = schema.measure(count, rows)
    figures.put("schema_check_overhead", measured.overhead)
    figures.put("schema_check_overhead_anew", measured.overhead_anew)
    figures.put("schema_check_rss_kib", measured.rss_kib)
    figures.put("schema_proven_rows_read", [measured.proven_rows_read])


def measure_explaining(figures):
    say(f"== Why was it decided, and the same again: {2 * explain.TIMES} times")
    figures.put("explain_ms", explain.explain())


def run(options):
    rounds, quick = options.rounds, options.quick
    figures = Figures()
    began = time.monotonic()
    say(f"This takes about {round((rounds * (60 if quick else 80) + (60 if quick else 340)) / 60)} minutes; it is stopped after {limit_s(options) // 60}. "
        "Everything happens on throw-away hosts.")
    busy = busy_percent()
    if busy > 10:
        say(f"NOTE: other programs use {busy:.0f} % of this machine: short times will be too long.")
    measured = measure_switching(rounds, not quick)
    measure_asking(rounds, 2 if quick else 5, figures)
    measure_idling(rounds if quick else max(rounds, 5), 20 if quick else idling.SECONDS, figures)
    measure_detecting(rounds if quick else max(rounds, 5), not quick, figures)
    measure_notifying(rounds, figures)
    measure_explaining(figures)
    measure_schema(1 if quick else 3, schema.ROWS // 10 if quick else schema.ROWS, figures)
    measure_backtest(rounds, figures)
    keep_switching(measured, figures)
    show_switching(measured)
    say()
    say(figures.table())
    figures.write(RESULT)
    say(f"\nWritten: {RESULT.relative_to(HERE.parent)}. It took {(time.monotonic() - began) / 60:.1f} minutes.")


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true",
                        help="fewer repetitions; neither the specification's commands nor 5 %% errors on the defaults")
    parser.add_argument("--rounds", type=int, help="repetitions (5; with --quick 3)")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (3 if options.quick else 5)
    return options


def limit_s(options):
    return LIMIT_S * max(options.rounds, 5) // 5


def stop(number, _):
    raise KeyboardInterrupt("it took too long" if number == signal.SIGALRM else "stopped")


def measure(options):
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    signal.alarm(limit_s(options))
    try:
        run(options)
    except KeyboardInterrupt as why:
        print(f"bench: {why or 'stopped'}", file=sys.stderr)
        return EX_INTERRUPTED
    except Exception as error:  # what could not be measured is this program's only failure
        print(f"bench: could not measure: {type(error).__name__}: {error}", file=sys.stderr)
        return EX_SOFTWARE
    return 0


def main():
    options = parse(sys.argv[1:])
    reason = why_not()
    if reason:
        print(f"bench: {reason}", file=sys.stderr)
        return EX_NOPERM
    code = measure(options)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without waiting for threads; the keepers see our end and take their hosts down


if __name__ == "__main__":
    sys.exit(main())
