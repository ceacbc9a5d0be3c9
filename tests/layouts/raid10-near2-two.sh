usual "${d[@]}"
array /dev/md0 --level=10 --layout=n2 --chunk=64 --assume-clean --raid-devices=2 "${p2[@]}"
root /dev/md0
