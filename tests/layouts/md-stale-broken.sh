usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --assume-clean "${p2[@]}"
root /dev/md0
mount /dev/md0 /mnt
for number in 0 1 2 3 4 5 6 7; do
    echo tool > "/mnt/usr/sbin/tool$number"
    echo "/usr/sbin/tool$number" >> /mnt/var/lib/dpkg/info/tool0.list
done
mv /mnt/usr/sbin /mnt/usr/sbin.old
ln -s bin /mnt/usr/sbin
sync
mdadm /dev/md0 --fail "${p2[1]}"
mdadm /dev/md0 --remove "${p2[1]}"
echo more > /mnt/srv/more
umount /mnt
