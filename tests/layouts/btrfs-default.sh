usual "${d[@]}"
mkfs.btrfs -q -f "${p2[0]}"
mount "${p2[0]}" /mnt
btrfs -q subvolume create /mnt/system
fill /mnt/system << END
UUID=$(uuid "${p2[0]}") / btrfs defaults 0 0
END
btrfs subvolume set-default /mnt/system
umount /mnt
