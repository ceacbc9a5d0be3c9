usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --metadata=1.2 --assume-clean "${p2[@]:0:2}"
root /dev/md0
mdadm --stop /dev/md0
# mdadm wipes the superblock that it knows of; one that it did not see stays
dd if="${p2[1]}" of=/start bs=4k count=2 status=none
dd if=/dev/zero of="${p2[1]}" bs=4k count=2 status=none
array /dev/md1 --level=1 --raid-devices=2 --metadata=1.0 --assume-clean "${p2[@]:1:2}"
mdadm --stop /dev/md1
dd if=/start of="${p2[1]}" bs=4k count=2 conv=notrunc status=none
