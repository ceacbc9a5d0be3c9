usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --assume-clean "${p2[@]}"
vgcreate vg0 /dev/md0
lvcreate -y -n root -L 80M vg0
lvcreate -y -n swap -L 32M vg0
lvcreate -y -n var -L 48M vg0
mkfs.ext4 -q /dev/vg0/root
mkfs.ext4 -q /dev/vg0/var
mkswap /dev/vg0/swap
mount /dev/vg0/root /mnt
mkdir /mnt/var
mount /dev/vg0/var /mnt/var
fill /mnt << END
/dev/mapper/vg0-root / ext4 defaults 0 1
/dev/vg0/var /var ext4 defaults 0 2
UUID=$(uuid /dev/vg0/swap) none swap sw 0 0
END
umount -R /mnt
