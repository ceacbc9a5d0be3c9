usual "${d[@]}"
clock -30
array /dev/md0 --level=1 --raid-devices=2 --assume-clean "${p2[@]}"
root /dev/md0
mdadm --stop /dev/md0
clock 30
array /dev/md0 --level=1 --raid-devices=2 "${p2[0]}" missing
