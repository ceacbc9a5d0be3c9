#!/bin/sh
# Runs as /init in Debian's own initramfs, twice: the first kernel panics with
# reserved memory that survives the reset, the second one looks at it.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /proc /sys /dev /run
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec > /dev/ttyS0 2>&1

insmod /lab/reed_solomon.ko
# insmod does not look at the kernel command line, as modprobe does.
insmod /lab/ramoops.ko mem_address=0x10000000 mem_size=0x100000 \
    record_size=0x20000
mount -t pstore pstore /sys/fs/pstore
if ls /sys/fs/pstore/dmesg-* > /dev/null; then
    before=$(ls /sys/fs/pstore)
    umount /sys/fs/pstore
    /lab/lifeboot survey --json > /dev/ttyS1
    mount -t pstore pstore /sys/fs/pstore
    test "$before" = "$(ls /sys/fs/pstore)" && echo LAB-DONE
    echo o > /proc/sysrq-trigger
else
    echo c > /proc/sysrq-trigger
fi
sleep 60
