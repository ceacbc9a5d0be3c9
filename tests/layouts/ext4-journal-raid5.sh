usual "${d[@]}"
array /dev/md0 --level=5 --chunk=64 --raid-devices=3 --assume-clean "${p2[@]}"
device=/dev/md0
root "$device" ext4
mount "$device" /mnt
sed -i 's/^PRETTY_NAME.*/PRETTY_NAME="Stale"/' /mnt/etc/os-release
umount /mnt
mount -o commit=300 "$device" /mnt
newest /mnt
crash
