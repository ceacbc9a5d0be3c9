array /dev/md0 --level=1 --raid-devices=2 --metadata=0.90 --assume-clean "${d[@]}"
printf 'label: gpt\nsize=16M, type=uefi\ntype=linux\n' | table /dev/md0
mkfs.vfat -n ESP "$(part /dev/md0 1)"
root "$(part /dev/md0 2)" ext4 \
    "UUID=$(uuid "$(part /dev/md0 1)") /boot/efi vfat umask=0077 0 1"
mount "$(part /dev/md0 2)" /mnt
mkdir -p /mnt/boot/efi
umount /mnt
