usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --assume-clean "${p2[@]}"
luks /dev/md0 --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000
vgcreate vg0 /dev/mapper/luks0
lvcreate -y -n root -L 120M vg0
root /dev/vg0/root
mount /dev/vg0/root /mnt
for number in 0 1 2 3 4 5 6 7; do
    echo tool > "/mnt/usr/sbin/tool$number"
    echo "/usr/sbin/tool$number" >> /mnt/var/lib/dpkg/info/tool0.list
done
mv /mnt/usr/sbin /mnt/usr/sbin.old
ln -s bin /mnt/usr/sbin
umount /mnt
