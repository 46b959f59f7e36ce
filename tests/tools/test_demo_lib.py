"""tools/demo-lib.sh: what must not go wrong on somebody's machine."""
import pathlib
import signal
import socket
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]


def shell(script, **options):
    return subprocess.Popen(["sh", "-euc", f". tools/demo-lib.sh; {script}"], cwd=TOP, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def run(script):
    process = shell(script)
    output = process.communicate(timeout=60)[0]
    return process.returncode, output




def test_free_ports_are_free():
    """The same process would be offered the same ports again, were they not taken meanwhile."""
    process = shell("demo_free_ports 3; read -r go; demo_free_ports 3", stdin=subprocess.PIPE)
    first = [int(process.stdout.readline()) for _ in range(3)]
    with socket.create_server(("127.0.0.1", first[0])), socket.create_server(("::1", first[2]), family=socket.AF_INET6):
        rest = [int(word) for word in process.communicate("go\n", timeout=20)[0].split()]
    assert len(set(rest)) == 3 and set(rest) & set(first) == {first[1]}
    assert all(20000 <= port < 30000 for port in first + rest)


def test_the_end_stops_what_was_begun_and_nothing_else():
    stranger = subprocess.Popen(["sleep", "60"])
    process = shell("demo_colours; demo_make_directory; demo_begin one sleep 60; demo_begin stubborn sh -c 'trap : TERM; while :; do sleep 1; done';"
                    'echo $demo_directory $demo_pids; mkdir -p $demo_directory/versions/v1; cp /bin/sleep $demo_directory/versions/v1/;'
                    "setsid $demo_directory/versions/v1/sleep 60 & echo $!; wait")
    directory, *pids = process.stdout.readline().split()
    pids.append(process.stdout.readline().strip())
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    for pid in pids:
        assert not pathlib.Path(f"/proc/{pid}").exists() or " Z " in pathlib.Path(f"/proc/{pid}/stat").read_text()
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    subprocess.run(["rm", "-rf", directory], check=True)  # a failed demo leaves it for who wants to know why


def test_a_good_end_leaves_nothing():
    code, output = run("demo_colours; demo_make_directory; echo $demo_directory")
    assert code == 0 and not pathlib.Path(output.strip()).exists()


def test_no_colour_where_nobody_sees_it():
    assert run("demo_colours; demo_title x; demo_say y") == (0, "\nx\n  y\n")
