usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --assume-clean "${p2[@]}"
root /dev/md0
mdadm /dev/md0 --fail "${p2[1]}"
mdadm /dev/md0 --remove "${p2[1]}"
mount /dev/md0 /mnt
sed -i 's/^PRETTY_NAME.*/PRETTY_NAME="Lab md-stale later"/' /mnt/etc/os-release
