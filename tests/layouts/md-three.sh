usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=3 --assume-clean "${p2[@]}"
root /dev/md0
