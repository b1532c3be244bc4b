#!/bin/sh
# Makes a node of a bare distribution: user, units, settings. $1 is its root directory; "/" within an image build.
set -eu
root=${1%/}
inside() { if [ -n "$root" ]; then chroot "$root" "$@"; else "$@"; fi; }

inside id cc >/dev/null 2>&1 || inside useradd -m -s /bin/bash -G sudo cc
echo 'cc ALL=(ALL) NOPASSWD:ALL' > "$root/etc/sudoers.d/90-cc"
chmod 440 "$root/etc/sudoers.d/90-cc"

# every node makes its own identity when it first starts
rm -f "$root"/etc/ssh/ssh_host_*
: > "$root/etc/machine-id"
mkdir -p "$root/etc/ssh/sshd_config.d"
printf 'HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no\nUseDNS no\n' > "$root/etc/ssh/sshd_config.d/10-site.conf"

# what makes no sense in a container, or would touch the machine below it
for unit in systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udev-trigger.service \
    getty@.service console-getty.service getty.target systemd-timesyncd.service systemd-resolved.service \
    systemd-remount-fs.service systemd-modules-load.service dev-hugepages.mount dev-mqueue.mount \
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount \
    apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer logrotate.timer; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
# Docker comes up when it is first used, not while a node boots
rm -f "$root"/etc/systemd/system/multi-user.target.wants/docker.service "$root"/etc/systemd/system/multi-user.target.wants/containerd.service

# a container of a node must see what is mounted with FUSE on the node
grep -qsx user_allow_other "$root/etc/fuse.conf" || echo user_allow_other >> "$root/etc/fuse.conf"
# where packages come from is told to each node when it is made
rm -f "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* "$root"/etc/apt/apt.conf.d/90site
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/archives/*.deb "$root"/usr/share/man/* "$root"/usr/share/doc/*
