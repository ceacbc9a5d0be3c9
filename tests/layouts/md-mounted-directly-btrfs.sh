usual "${d[@]}"
modprobe btrfs
array /dev/md0 --level=1 --raid-devices=2 --metadata=1.0 --assume-clean "${p2[@]}"
root /dev/md0 btrfs
mdadm --stop /dev/md0
mount -t btrfs "${p2[1]}" /mnt
date > /mnt/root/written
umount /mnt
