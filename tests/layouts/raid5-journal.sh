usual "${d[@]}"
array /dev/md0 --level=5 --chunk=64 --raid-devices=3 --write-journal "${p2[3]}" \
    "${p2[@]:0:3}"
until_ok grep -q idle /sys/block/md0/md/sync_action
root /dev/md0
mount /dev/md0 /mnt
dd if=/dev/urandom of=/mnt/srv/more bs=64k count=32 oflag=direct status=none
dd if=/dev/urandom of=/mnt/srv/endless bs=64k oflag=direct status=none &
until_ok test -s /mnt/srv/endless
crash
