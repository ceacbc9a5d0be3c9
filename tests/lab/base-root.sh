#!/bin/sh
# Turns a fresh Debian tree into the lab's server. Called by mmdebstrap with
# the tree as its only argument; the identities come from the environment.
set -eu
root=$1

echo lab > "$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 lab\n' > "$root/etc/hosts"

cat > "$root/etc/fstab" <<END
# <file system> <mount point> <type> <options> <dump> <pass>
UUID=$ROOT_UUID / ext4 errors=remount-ro 0 1
END

cat > "$root/etc/mdadm/mdadm.conf" <<END
HOMEHOST <system>
MAILADDR root
ARRAY /dev/md0 metadata=1.2 UUID=$ARRAY_UUID name=lab:0
END

cat > "$root/etc/network/interfaces" <<END
source /etc/network/interfaces.d/*

auto lo
iface lo inet loopback

allow-hotplug enp0s2
iface enp0s2 inet static
    address 192.0.2.10/24
    gateway 192.0.2.1
END

# systemd stops writing to the console when it has much to say, and how a boot
# ends is read there: log_ratelimit_kmsg.
cat > "$root/etc/default/grub" <<END
GRUB_DEFAULT=0
GRUB_TIMEOUT=0
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT=""
GRUB_CMDLINE_LINUX="console=ttyS0,115200 systemd.log_ratelimit_kmsg=0"
GRUB_TERMINAL=serial
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
END

echo 'root:lab' | chroot "$root" chpasswd
chroot "$root" update-initramfs -u
