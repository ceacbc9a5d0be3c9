#!/bin/sh
# Runs as /init of a machine with two partitioned, empty disks, in Debian's
# own initramfs: makes the array and switches the machine off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /proc /sys /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec > /dev/ttyS0 2>&1

tries=0
until test -b /dev/nvme0n1p2 && test -b /dev/nvme1n1p2; do
    tries=$((tries + 1))
    test $tries -lt 300 || break
    sleep 0.1
done

modprobe raid1
# shellcheck disable=SC2154 # array_uuid= is a word of the kernel command line
mdadm --create /dev/md0 --run --assume-clean --level=1 --raid-devices=2 \
    --metadata=1.2 --bitmap=internal --homehost=lab --name=0 \
    --uuid="$array_uuid" /dev/nvme0n1p2 /dev/nvme1n1p2 &&
    mdadm --stop /dev/md0 && echo LAB-DONE
echo o > /proc/sysrq-trigger
sleep 60
