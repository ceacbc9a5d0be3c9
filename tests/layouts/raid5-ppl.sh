usual "${d[@]}"
array /dev/md0 --level=5 --chunk=64 --consistency-policy=ppl --assume-clean --raid-devices=3 "${p2[@]}"
root /dev/md0
mount /dev/md0 /mnt
# never clean again: the crash comes before any timer
echo 300 > /sys/block/md0/md/safe_mode_delay
dd if=/dev/urandom of=/mnt/srv/more bs=64k count=32 oflag=direct status=none
dd if=/dev/urandom of=/mnt/srv/endless bs=64k oflag=direct status=none &
until_ok test -s /mnt/srv/endless
crash
