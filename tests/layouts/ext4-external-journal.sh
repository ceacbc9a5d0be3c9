usual "${d[@]}"
mkfs.ext4 -q -F -O journal_dev "${p2[1]}"
mkfs.ext4 -q -F -J device="${p2[1]}" "${p2[0]}"
mount "${p2[0]}" /mnt
echo "UUID=$(uuid "${p2[0]}") / ext4 defaults 0 1" | fill /mnt
umount /mnt
mount -o commit=300 "${p2[0]}" /mnt
newest /mnt
crash
