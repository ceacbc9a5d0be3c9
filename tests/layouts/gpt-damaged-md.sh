usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --assume-clean "${p2[@]}"
root /dev/md0
mdadm --stop /dev/md0
dd if=/dev/zero of="${d[1]}" bs=512 seek=1 count=1 conv=notrunc status=none
