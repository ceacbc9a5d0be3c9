for disk in "${d[@]}"; do
    printf 'label: gpt\nsize=36M, type=uefi\nsize=32M, type=raid\nsize=24M, type=raid\ntype=raid\n' |
        table "$disk"
    mkfs.vfat -F 32 "$(part "$disk" 1)"
done
array /dev/md0 --level=1 --raid-devices=2 --metadata=1.2 --assume-clean "${p2[@]}"
array /dev/md1 --level=1 --raid-devices=2 --metadata=1.2 --assume-clean "${p3[@]}"
array /dev/md2 --level=1 --raid-devices=2 --metadata=1.2 --assume-clean "${d[@]/%/p4}"
mkfs.ext4 -q -F /dev/md0
mkswap /dev/md1
root /dev/md2 ext4 "UUID=$(uuid /dev/md0) /boot ext4 defaults 0 2" \
    "UUID=$(uuid "${p1[0]}") /boot/efi vfat umask=0077 0 1" \
    "UUID=$(uuid /dev/md1) none swap sw 0 0"
mount /dev/md0 /mnt
mkdir /mnt/efi
umount /mnt
