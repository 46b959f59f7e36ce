"""A full disk never stops a rollback: journal space, next configuration and next symlink were written beforehand."""

import pytest
from testsite import CONTROLLER, NOT_VERIFIED

PLACES = ("/var/lib/novacron", "/etc/novacron", "/opt/novacron", "/var/log/novacron")


def on_small_disks(site, places):
    for place in places:
        keep = f"/mnt{place}"
        site.host.run(["mkdir", "-p", place, keep])
        site.host.run(["cp", "-a", f"{place}/.", keep])
        site.host.mount_small_disk(place, "24m")
        site.host.run(["cp", "-a", f"{keep}/.", place])


@pytest.mark.parametrize("mode", ["automatic", "manual", "emergency", "emergency without controller"])
def test_all_disks_full(site, mode):
    on_small_disks(site, PLACES)
    load = site.begin_with(error_every=20 if mode == "automatic" else 0)
    site.wait_status(lambda status: status["target"] and status["target"]["ready"], what="the target is ready")
    for place in PLACES:
        site.host.fill_disk(place)
    if mode == "manual":
        site.roll_back()
    elif mode == "emergency":
        site.cli("emergency", "the disk is full and the release is bad", check=0)
    elif mode != "automatic":
        site.host.systemctl("stop", CONTROLLER)
        site.cli("emergency", "the disk is full and the release is bad", check=NOT_VERIFIED)
        site.host.systemctl("start", CONTROLLER)
    run = site.wait_for_run(kind="rollback", mode=mode.split()[0])
    assert (run["outcome"], run["serving"]) == ("succeeded", "v2.4.0")
    site.check_steady("v2.4.0")
    site.check_ledger(load.end(), run)


def test_it_may_stay_full(site):
    """Run after run, until the reserve would be used up many times over if it were not refilled from what was there."""
    on_small_disks(site, PLACES)
    load = site.begin_with()
    site.wait_status(lambda status: status["target"] and status["target"]["ready"], what="the target is ready")
    for place in PLACES:
        site.host.fill_disk(place)
    for number in range(4):
        site.roll_back(f"once more, {number}")
        site.deploy("v3.0.0")
    site.check_steady("v3.0.0")
    site.check_ledger(load.end())
