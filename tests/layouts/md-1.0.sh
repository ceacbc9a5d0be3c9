usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --metadata=1.0 --assume-clean "${p2[@]}"
root /dev/md0
