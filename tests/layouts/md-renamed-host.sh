usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --assume-clean "${p2[@]}"
root /dev/md0 ext4
mount /dev/md0 /mnt
sed -i 's|^UUID=[^ ]* / |/dev/md0 / |' /mnt/etc/fstab
mkdir -p /mnt/etc/mdadm
echo 'HOMEHOST <system>' > /mnt/etc/mdadm/mdadm.conf
echo renamed > /mnt/etc/hostname
umount /mnt
