#!/bin/sh
# Becomes PID 1 of a throw-away host: a real systemd on an overlay of this machine's own root file system.
# Runs in new mount, pid, net, uts, ipc and cgroup namespaces. Arguments: STATE NAME PROJECT
#   STATE    directory on a tmpfs: what is written on the host survives its reboots there (overlayfs refuses an upper
#            directory on the lower's file system)
#   PROJECT  the checkout, visible read-only under its own path, so that freshly built programs run on the host
set -eu
state=$1 name=$2 project=$3
root=$state/root
first_boot=no
[ -d "$state/upper" ] || first_boot=yes

mount --make-rprivate /
mkdir -p "$state/upper" "$state/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$state/upper,workdir=$state/work" "$root"

mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,ro,bind "$root/proc/sys"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,nosuid,size=1m tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
# both, or systemd-tmpfiles and services would work in this machine's own
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
mkdir -p "$root$project"
mount --bind "$project" "$root$project"
mount -o remount,ro,bind "$root$project"

# What this machine has enabled, logged or configured must not leak into the host.
if [ $first_boot = yes ]; then
    rm -rf "$root/etc/systemd/system" "$root/var/log/journal" "$root/etc/novacron" "$root/var/lib/novacron" \
        "$root/var/log/novacron" "$root/opt/novacron" "$root/etc/machine-id" "$root/etc/hostname" "$root/etc/hosts"
    mkdir -p "$root/etc/systemd/system" "$root/etc/systemd/journald.conf.d"
    echo "$name" >"$root/etc/hostname"
    printf '127.0.0.1 localhost %s\n::1 localhost\n' "$name" >"$root/etc/hosts"
    od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$root/etc/machine-id"
    printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\nReadKMsg=no\nAudit=no\nRateLimitIntervalSec=0\n' \
        >"$root/etc/systemd/journald.conf.d/host.conf"
fi
hostname "$name"

# The vendor's units: only what a service needs around it. Everything else of this machine stays out of the host.
vendor=$root/run/host/units
mkdir -p "$vendor"
for unit in sysinit.target basic.target multi-user.target sockets.target timers.target paths.target slices.target \
    local-fs.target local-fs-pre.target network.target network-online.target swap.target time-set.target nss-user-lookup.target \
    shutdown.target umount.target final.target reboot.target poweroff.target halt.target exit.target emergency.target rescue.target \
    systemd-reboot.service systemd-poweroff.service systemd-halt.service systemd-exit.service \
    systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket systemd-journal-flush.service \
    dbus.socket dbus.service polkit.service; do
    if [ -e "/lib/systemd/system/$unit" ]; then cp -L "/lib/systemd/system/$unit" "$vendor/"; fi
done
want() {
    mkdir -p "$vendor/$1.wants"
    ln -s "../$2" "$vendor/$1.wants/$2"
}
want sysinit.target systemd-journald.service
want sockets.target systemd-journald.socket
want sockets.target systemd-journald-dev-log.socket
want sockets.target dbus.socket
mkdir -p "$root/run/host/boot"
mount --bind "$state/boot" "$root/run/host/boot" # PID 1 says there that it has booted

ip link set lo up
cd "$root"
mkdir -p .old
pivot_root . .old
umount -l /.old
rmdir /.old
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 container=lab NOTIFY_SOCKET=/run/host/boot/notify \
    SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/systemd/system:/run/systemd/transient:/run/host/units \
    SYSTEMD_GENERATOR_PATH=/nonexistent SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/nonexistent \
    /lib/systemd/systemd --system --unit=multi-user.target --log-target=console --log-level=info --show-status=0
