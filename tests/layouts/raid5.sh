usual "${d[@]}"
array /dev/md0 --level=5 --chunk=64 --assume-clean --raid-devices=3 "${p2[@]}"
root /dev/md0
