"""demo-service as a program: what it promises about writes, how it stops, and that its faults are counted exactly."""
import signal
import socket
import subprocess
import threading
import time

import pytest


def test_writes_are_numbered_and_listed(service):
    service.start()
    connection = service.connect()
    assert service.write("me 1", connection) == (200, '{"n":1}\n')
    assert service.write("me 2", connection) == (200, '{"n":2}\n')
    assert service.write("me two", connection)[0] == 400
    assert service.writes() == [["1", "me", "1"], ["2", "me", "2"]]


def test_routes(service):
    service.start("v3.0.0")
    assert service.get("/health") == service.get("/api/v3/health?deep=1") == (
        200, '{"status":"healthy","version":"v3.0.0","score":98}\n')
    assert service.get("/nowhere")[0] == 404
    assert service.ask("POST", "/", "")[0] == 405
    connection = service.connect()
    connection.request("GET", "/")
    assert connection.getresponse().headers["X-Version"] == "v3.0.0"


def test_requests_sent_at_once_are_all_answered(service):
    """Pipelined, writes among them: none may be left in the buffer."""
    service.start()
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as raw:
        one = b"GET / HTTP/1.1\r\n\r\nPOST /write HTTP/1.1\r\nContent-Length: 3\r\n\r\nx 1"
        raw.sendall(one * 10 + b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        received = b""
        while chunk := raw.recv(65536):
            received += chunk
    assert received.count(b"HTTP/1.1 200 OK") == 21
    assert len(service.writes()) == 10


def test_two_releases_share_the_data_one_after_the_other(service):
    service.start("v2.4.0")
    service.write("me 1")
    second = subprocess.run([service.release("v3.0.0"), "--listen", "127.0.0.1:1", "--data", service.data],
                            capture_output=True, text=True)
    assert second.returncode == 75 and "another instance" in second.stderr
    assert service.stop() == 0
    service.start("v3.0.0")
    assert service.write("me 2") == (200, '{"n":2}\n')


def test_kill_9_in_the_middle_of_writes_loses_no_acknowledged_one(service):
    """Eight writers, three kills. Every number that was answered must be there, with the id it was answered for."""
    acknowledged = {}
    stop = threading.Event()

    def writer(name):
        sequence = 0
        connection = service.connect()
        while not stop.is_set():
            sequence += 1
            try:
                status, body = service.write(f"{name} {sequence}", connection)
            except OSError:
                connection.close()
                stop.wait(0.01)
                continue
            except Exception:  # a cut answer
                connection.close()
                continue
            if status == 200:
                acknowledged[int(body[5:-2])] = (name, str(sequence))

    threads = [threading.Thread(target=writer, args=(f"w{i}",)) for i in range(8)]
    service.start()
    for thread in threads:
        thread.start()
    for kill in range(3):
        before = len(acknowledged)
        deadline = time.monotonic() + 20
        while len(acknowledged) < before + 200 and time.monotonic() < deadline:
            time.sleep(0.002)
        service.stop(signal.SIGKILL)
        with open(service.data / "ledger", "ab") as ledger:
            ledger.write(b"99999 torn")  # as if the kill had come in the middle of a write
        service.start()
    stop.set()
    for thread in threads:
        thread.join()
    stored = {int(number): (name, sequence) for number, name, sequence in service.writes()}
    assert len(acknowledged) >= 600
    assert list(stored) == list(range(1, len(stored) + 1))
    assert {number: stored.get(number) for number in acknowledged} == acknowledged


def test_stop_finishes_what_is_in_flight(service):
    service.configure(latency_every=1, latency_us=300000)
    service.start()
    slow = service.connect()
    slow.request("POST", "/write", "me 1")
    idle = service.connect()
    idle.connect()
    service.get("/health")  # the loop has seen both
    began = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    response = slow.getresponse()
    assert (response.status, response.read()) == (200, b'{"n":1}\n')
    assert response.headers["Connection"] == "close"
    service.process.communicate(timeout=10)
    assert service.process.returncode == 0
    assert time.monotonic() - began < 2
    with pytest.raises(OSError):
        service.get("/")


def test_idle_connections_do_not_hold_the_stop_up(service):
    service.start()
    connections = [service.connect() for _ in range(50)]
    for connection in connections:
        assert service.get("/", connection)[0] == 200
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("every", [1, 2, 20, 111])
def test_errors_are_counted(service, every):
    service.configure(error_every=every)
    service.start()
    connection = service.connect()
    statuses = [service.get("/", connection)[0] for _ in range(400)]
    assert [i for i, status in enumerate(statuses, 1) if status == 500] == list(range(every, 401, every))
    assert service.get("/health")[0] == 200
    assert f'http_requests_total{{code="500"}} {400 // every}\n' in service.get("/metrics")[1]


def test_an_error_stores_nothing(service):
    service.configure(error_every=2, error_status=503)
    service.start()
    assert [service.write(f"me {i}")[0] for i in (1, 2, 3)] == [200, 503, 200]
    assert service.writes() == [["1", "me", "1"], ["2", "me", "3"]]


def test_latency_delays_its_requests_only(service):
    service.configure(latency_every=2, latency_us=250400)
    service.start()
    fast, slow = service.connect(), service.connect()
    assert service.get("/", fast)[0] == 200
    began = time.monotonic()
    slow.request("GET", "/")
    service.get("/health")
    assert service.get("/", fast)[0] == 200
    assert time.monotonic() - began < 0.2
    assert slow.getresponse().read()
    assert 0.2504 <= time.monotonic() - began < 1
    histogram = service.get("/metrics")[1]
    assert 'http_request_duration_seconds_bucket{le="0.25"} 2\n' in histogram
    assert 'http_request_duration_seconds_bucket{le="0.5"} 3\n' in histogram
    assert histogram.endswith("# EOF\n")


def test_a_hanging_request_is_never_answered_others_are(service):
    service.configure(hang_every=2)
    service.start()
    assert service.get("/")[0] == 200
    with pytest.raises(TimeoutError):
        service.get("/", service.connect(timeout=0.3))
    assert service.get("/")[0] == 200
    assert service.stop() == 0


def test_hang(service):
    service.configure(hang=True)
    service.start()
    with pytest.raises(TimeoutError):
        service.get("/health", service.connect(timeout=0.3))


def test_unhealthy(service):
    service.configure(unhealthy=True)
    service.start()
    assert service.get("/health") == (503, '{"status":"unhealthy","version":"v2.4.0","score":0}\n')
    assert service.get("/")[0] == 200


def test_crash_on_request(service):
    service.configure(crash_on_request=3)
    service.start()
    assert service.get("/")[0] == service.get("/")[0] == 200
    with pytest.raises((OSError, Exception)):
        service.get("/")
    service.process.communicate(timeout=10)
    assert service.process.returncode == -signal.SIGABRT


def test_crash_after(service):
    service.configure(crash_after_ms=200)
    began = time.monotonic()
    service.start()
    service.process.communicate(timeout=10)
    assert service.process.returncode == -signal.SIGABRT
    assert 0.2 <= time.monotonic() - began < 2


def test_a_spike_begins_and_ends_by_reload(service):
    service.start()
    assert {service.get("/")[0] for _ in range(4)} == {200}
    service.reload(error_every=2)
    assert [service.get("/")[0] for _ in range(4)] == [200, 500, 200, 500]
    service.reload()
    assert {service.get("/")[0] for _ in range(4)} == {200}


def test_a_bad_configuration_is_not_taken(service):
    service.configure(error_every=2)
    service.start()
    service.reload(error_every="often")
    assert [service.get("/")[0] for _ in range(2)] == [200, 500]
    service.stop()
    refused = service.spawn()
    assert "config.yaml:1: error_every is 'often'" in refused.communicate(timeout=10)[1]
    assert refused.returncode == 78


def test_slow_start_listens_late(service):
    service.configure(slow_start_ms=300)
    began = time.monotonic()
    process = service.spawn()
    while True:
        try:
            service.get("/health")
            break
        except ConnectionRefusedError:
            assert time.monotonic() - began < 10
            time.sleep(0.005)
    assert time.monotonic() - began >= 0.3
    process.terminate()
    process.communicate(timeout=10)


def test_slow_start_can_be_stopped(service):
    service.configure(slow_start_ms=60000)
    process = service.spawn()
    time.sleep(0.2)
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode in (0, -signal.SIGTERM)  # the latter when it had not come to blocking signals yet


def test_slow_stop(service):
    service.configure(slow_stop_ms=300)
    service.start()
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began >= 0.3


def test_sigterm_can_be_ignored(service):
    service.configure(ignore_sigterm=True)
    service.start()
    service.process.send_signal(signal.SIGTERM)
    assert service.get("/")[0] == service.get("/")[0] == 200
    assert service.stop(signal.SIGKILL) == -signal.SIGKILL
