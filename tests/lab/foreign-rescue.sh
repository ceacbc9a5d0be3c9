#!/bin/sh
# Runs as /init of a machine with a server's disks, in Debian's own initramfs:
# a rescue system whose udev has started the array already, as datacenters'
# rescue systems do. The second serial line gets what lifeboot says.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /proc /sys /dev /run /tmp
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
modprobe ext4
# shellcheck disable=SC2154 # with_loop= is a word of the kernel command line
if test "$with_loop" = no; then
    mv /usr/lib/modules/*/kernel/drivers/block/loop.ko /hidden
fi
echo 1 > /sys/module/md_mod/parameters/start_ro
mdadm --assemble --run /dev/md127 /dev/nvme0n1p2 /dev/nvme1n1p2
cat /proc/mdstat
stty -F /dev/ttyS1 raw 2> /dev/null

# A diagnosis that is stopped in the middle leaves no array behind.
if test "$with_loop" != no; then
    /lifeboot diagnose > /dev/null 2>&1 &
    tries=0
    until test -e /sys/block/md_lifeboot0; do
        tries=$((tries + 1))
        test $tries -lt 200000 || break
    done
    test -e /sys/block/md_lifeboot0 && echo LAB-OPENED
    kill -TERM $!
    wait $!
    echo "LAB-STOPPED $?"
    test -e /sys/block/md_lifeboot0 || echo LAB-CLEAN
fi

/lifeboot diagnose --json > /dev/ttyS1
echo "LAB-DIAGNOSED $?"
/lifeboot repair --yes
echo "LAB-REPAIRED $?"
cat /proc/mdstat
mdadm --stop /dev/md127 && echo LAB-DONE
echo o > /proc/sysrq-trigger
sleep 60
