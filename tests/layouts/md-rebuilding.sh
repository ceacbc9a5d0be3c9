usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --assume-clean "${p2[@]}"
root /dev/md0
mdadm /dev/md0 --fail "${p2[1]}"
mdadm /dev/md0 --remove "${p2[1]}"
mount /dev/md0 /mnt
sed -i 's/^PRETTY_NAME.*/PRETTY_NAME="Lab md-rebuilding later"/' /mnt/etc/os-release

umount /mnt
mdadm --zero-superblock "${p2[1]}"
echo 4000 > /proc/sys/dev/raid/speed_limit_max
echo 2000 > /proc/sys/dev/raid/speed_limit_min
mdadm /dev/md0 --add "${p2[1]}"
rebuilding() { mdadm --examine "${p2[1]}" | grep -q 'Recovery Offset : [1-9]'; }
progress() { test "$(cut -d/ -f1 < /sys/block/md0/md/sync_completed | tr -dc 0-9 | sed s/^$/0/)" -gt 2048; }
until_ok progress
# stopping the rebuild notes how far it came
echo frozen > /sys/block/md0/md/sync_action
until_ok rebuilding
crash
