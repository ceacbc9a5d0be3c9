usual "${d[@]}"
modprobe btrfs
mkfs.btrfs -q -f -d raid0 -m raid1 "${p2[@]}"
btrfs device scan
mount "${p2[0]}" /mnt
fill /mnt << END
UUID=$(uuid "${p2[0]}") / btrfs defaults 0 0
END
umount /mnt
