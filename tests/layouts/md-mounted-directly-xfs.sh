usual "${d[@]}"
modprobe xfs
array /dev/md0 --level=1 --raid-devices=2 --metadata=1.0 --assume-clean "${p2[@]}"
root /dev/md0 xfs
mdadm --stop /dev/md0
mount -t xfs "${p2[1]}" /mnt
date > /mnt/root/written
umount /mnt
