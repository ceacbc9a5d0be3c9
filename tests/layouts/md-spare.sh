usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --spare-devices=1 "${p2[@]}"
root /dev/md0
mdadm --wait /dev/md0 || true
