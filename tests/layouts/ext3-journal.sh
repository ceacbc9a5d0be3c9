usual "${d[@]}"
device=${p2[0]}
root "$device" ext3
mount "$device" /mnt
sed -i 's/^PRETTY_NAME.*/PRETTY_NAME="Stale"/' /mnt/etc/os-release
umount /mnt
mount -o commit=300 "$device" /mnt
newest /mnt
crash
