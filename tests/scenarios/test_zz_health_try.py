import json, time, subprocess
from testsite import find_program
def test_try(site):
    h = site.host
    print(h.run("dd if=/dev/zero of=/run/disk bs=1M count=64 2>/dev/null && mkfs.ext4 -q /run/disk && mkdir -p /var/lib/novacron && mount -o loop /run/disk /var/lib/novacron && echo mounted", check=False))
    site.configure(components={"storage": {"interval": "500ms", "timeout": "1s"}})
    site.release("v2.4.0")
    site.start()
    site.deploy_good()
    time.sleep(3)
    print(site.ask("GET","/health/storage"))
    print(h.run(["fsfreeze","-f","/var/lib/novacron"], check=False))
    end=time.time()+75
    last=None
    while time.time()<end:
        t=time.time(); a=site.ask("GET","/health/storage"); dt=time.time()-t
        key=(a and a[1].get("status"), a and a[1].get("reason","")[:40])
        if key!=last or dt>0.5: print(round(time.time()-end+75,1), round(dt,3), a and (a[0],a[1].get("status"),a[1].get("reason")))
        last=key
        if key[0]=="unhealthy": break
        time.sleep(0.3)
    print(h.run("ps axo pid,ppid,stat,comm | grep auto-roll", check=False))
    h.run(["fsfreeze","-u","/var/lib/novacron"], check=False)
    time.sleep(2)
    print(site.ask("GET","/health/storage"))
    print(h.run("ps axo pid,ppid,stat,comm | grep auto-roll", check=False))
    h.systemctl("stop","novacron-auto-rollback.service"); h.run(["umount","/var/lib/novacron"],check=False)
