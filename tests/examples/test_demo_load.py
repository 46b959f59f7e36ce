"""demo-load as a program: the ledger must catch what it is there to catch."""
import csv
import signal
import socket
import threading


def test_counts_agree_with_what_the_service_did(service, load):
    service.configure(error_every=20)
    service.start("v3.0.0")
    summary = load("--rate", 1000, "--duration", 1000, "--verify", service.url).end(None)
    assert summary["requests"] == 1000
    assert summary["failed"] == summary["failed_by_release"] == 50
    assert summary["by_status"] == {"200": 950, "500": 50}
    assert summary["versions"] == [{"version": "v3.0.0", "requests": 1000, "failed": 50}]
    assert summary["acknowledged_writes"] + summary["unacknowledged_writes"] == 330
    assert summary["unacknowledged_writes"] > 0  # errors met writes too
    assert summary["stored"] == summary["acknowledged_writes"] == len(service.writes())
    assert (summary["lost"], summary["duplicated"], summary["misnumbered"]) == (0, 0, 0)
    assert len(summary["failures"]) == 50 and summary["failures"][0]["status"] == 500


def test_tells_of_every_request(service, load, tmp_path):
    service.configure(error_every=20)
    service.start("v3.0.0")
    summary = load("--rate", 200, "--duration", 1000, "--requests", tmp_path / "requests").end(None)
    rows = list(csv.DictReader((tmp_path / "requests").read_text().splitlines()))
    assert len(rows) == summary["requests"] == 200
    assert {row["version"] for row in rows} == {"v3.0.0"}
    assert [row["status"] for row in rows if row["outcome"] == "status"] == ["500"] * summary["failed"]
    assert sum(row["write"] == "1" for row in rows) == summary["acknowledged_writes"] + summary["unacknowledged_writes"]
    assert max(int(row["latency_us"]) for row in rows) == round(summary["longest_ms"] * 1000)
    assert [int(row["due_us"]) for row in rows] == sorted(int(row["due_us"]) for row in rows)


def test_tells_releases_and_phases_apart(service, load):
    service.start("v2.4.0")
    running = load("--rate", 200, "--verify", service.url)
    running.wait_for(lambda event: event["event"] == "tick" and event["requests"] > 10)
    service.stop()
    running.mark()
    running.wait_for(lambda event: event.get("outcome") == "refused")
    service.start("v3.0.0")
    back = running.wait_for(lambda event: event.get("version") == "v3.0.0")
    summary = running.end()
    assert running.process.returncode == 0
    assert [change["version"] for change in summary["changes"]] == ["v2.4.0", "v3.0.0"]
    assert summary["changes"][1]["first_us"] == back["t_us"]
    assert summary["by_outcome"]["refused"] > 0
    assert summary["failed_by_release"] == 0
    assert [phase["phase"] for phase in summary["phases"]] == [0, 1]
    assert sum(phase["requests"] for phase in summary["phases"]) == summary["requests"]
    assert sum(phase["failed"] for phase in summary["phases"]) == summary["failed"]
    assert summary["lost"] == summary["duplicated"] == 0


def test_a_hanging_service_costs_time_outs_and_hides_nothing(service, load):
    service.configure(hang=True)
    service.start()
    summary = load("--rate", 100, "--duration", 300, "--timeout", 500).end(None)
    assert summary["requests"] == summary["failed"] == summary["by_outcome"]["timed_out"] == 30
    assert summary["longest_ms"] >= 500
    assert summary["lost"] is None


def test_latency_counts_from_when_the_request_was_due(service, load):
    """One connection, answers after 50 ms, 100 requests a second: the queue is the client's pain too."""
    service.configure(latency_every=1, latency_us=50000)
    service.start()
    summary = load("--rate", 100, "--duration", 200, "--connections", 1, "--connections-max", 1).end(None)
    assert (summary["requests"], summary["failed"]) == (20, 0)
    assert summary["longest_ms"] >= 20 * 50 - 200


def test_waits_for_what_is_outstanding_and_not_when_told_twice(service, load):
    service.configure(latency_every=1, latency_us=600000)
    service.start()
    patient = load("--rate", 50)
    patient.wait_for(lambda event: event["event"] == "tick" and event["requests"] > 0)
    summary = patient.end()
    assert summary["failed"] == 0 and summary["requests"] > 30
    service.stop()
    service.configure(hang=True)
    service.start()
    hasty = load("--rate", 50)
    hasty.wait_for(lambda event: event["event"] == "tick")
    hasty.process.send_signal(signal.SIGTERM)
    assert hasty.end(signal.SIGINT)["by_outcome"]["abandoned"] > 0


def test_a_lost_a_changed_and_a_doubled_write_are_found(service, load):
    service.start()
    running = load("--rate", 200, "--write-share", 100, "--verify", service.url, "--client", "me")
    running.wait_for(lambda event: event["event"] == "tick" and event["requests"] > 10)
    service.stop()
    ledger = service.data / "ledger"
    lines = ledger.read_text().splitlines(keepends=True)
    number, name, sequence = lines[4].split()
    lines[4] = f"{number} other {sequence}\n"     # lost
    lines[6] = lines[5]                           # one lost, one doubled
    lines[8] = "7777 " + lines[8].split(" ", 1)[1]  # under another number
    ledger.write_text("".join(lines))
    service.start()
    running.wait_for(lambda event: event["event"] == "tick" and event["requests"] > 10)
    summary = running.end()
    assert running.process.returncode == 1
    assert (summary["lost"], summary["duplicated"], summary["misnumbered"]) == (2, 1, 1)


def test_no_service_at_the_end(service, load):
    service.start()
    running = load("--rate", 100, "--verify", service.url)
    running.wait_for(lambda event: event["event"] == "tick" and event["requests"] > 0)
    service.stop()
    summary = running.end()
    assert running.process.returncode == 69
    assert summary["lost"] is None and summary["requests"] > 0


def test_garbage_and_early_closes_are_failures(service, load):
    listener = socket.create_server(("127.0.0.1", service.port))

    def serve():
        for answer in (b"SSH-2.0-hello\r\n\r\n", b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort") * 2:
            connection = listener.accept()[0]
            connection.recv(4096)
            connection.sendall(answer)
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    summary = load("--rate", 20, "--duration", 300, "--connections", 1).end(None)
    thread.join()
    listener.close()
    assert (summary["requests"], summary["failed"]) == (6, 6)
    assert (summary["by_outcome"]["garbled"], summary["by_outcome"]["closed"]) == (2, 4)


def test_usage(service, load):
    assert load("--rate", "0").process.wait(timeout=10) == 64
    assert load("--rate").process.wait(timeout=10) == 64
