usual "${d[@]}"
device=${p2[0]}
root "$device" xfs
mount "$device" /mnt
sed -i 's/^PRETTY_NAME.*/PRETTY_NAME="Stale"/' /mnt/etc/os-release
umount /mnt
mount  "$device" /mnt
newest /mnt
crash
