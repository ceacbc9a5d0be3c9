usual "${d[@]}"
array /dev/md0 --level=0 --chunk=64 --raid-devices=2 "${p2[@]}"
root /dev/md0
