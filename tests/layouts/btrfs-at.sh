usual "${d[@]}"
mkfs.btrfs -q -f "${p2[0]}"
mount "${p2[0]}" /mnt
btrfs -q subvolume create /mnt/@
btrfs -q subvolume create /mnt/@home
fill /mnt/@ << END
UUID=$(uuid "${p2[0]}") / btrfs defaults,subvol=@ 0 0
UUID=$(uuid "${p2[0]}") /home btrfs defaults,subvol=@home 0 0
END
mkdir /mnt/@/home
umount /mnt
