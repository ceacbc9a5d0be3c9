usual "${d[@]}"
array /dev/md0 --level=linear --raid-devices=2 "${p2[@]}"
root /dev/md0
