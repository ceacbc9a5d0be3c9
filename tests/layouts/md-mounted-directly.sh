usual "${d[@]}"
clock -10
array /dev/md0 --level=1 --raid-devices=2 --metadata=1.0 --assume-clean "${p2[@]}"
root /dev/md0
mdadm --stop /dev/md0
clock 10
mount -t ext4 "${p2[1]}" /mnt
sed -i 's/^PRETTY_NAME.*/PRETTY_NAME="Lab md-mounted-directly later"/' /mnt/etc/os-release
date > /mnt/root/written
umount /mnt
