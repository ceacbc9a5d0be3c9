usual "${d[@]}"
array /dev/md0 --level=1 --bitmap=internal --assume-clean --raid-devices=2 "${p2[@]}"
root /dev/md0
mount /dev/md0 /mnt
# never clean again: the crash comes before any timer
echo 300 > /sys/block/md0/md/safe_mode_delay
dd if=/dev/urandom of=/mnt/srv/more bs=64k count=32 oflag=direct status=none
umount /mnt
grep -q active /sys/block/md0/md/array_state
# more than any crash leaves: nothing on the second member is as on the first
offset=$(cat "/sys/block/md0/md/dev-$(basename "${p2[1]}")/offset")
# until there is no room
dd if=/dev/zero of="${p2[1]}" bs=1M seek="$((offset * 512))" oflag=direct,seek_bytes status=none ||
    true
crash
