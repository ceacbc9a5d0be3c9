usual "${d[@]}"
array /dev/md0 --level=6 --chunk=64 --assume-clean --raid-devices=4 "${p2[@]}"
root /dev/md0
