#!/bin/sh
# Runs as init= of the server itself, once, to make its disks bootable.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec > /dev/ttyS0 2>&1
mount -o remount,rw /
update-grub &
menu=$!
grub-install /dev/nvme0n1 && grub-install /dev/nvme1n1 &&
    wait $menu && echo LAB-DONE
exec < /dev/null > /dev/null 2>&1
mount -o remount,ro /
sync
echo o > /proc/sysrq-trigger
sleep 60
