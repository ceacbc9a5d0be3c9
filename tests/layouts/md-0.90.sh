usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --metadata=0.90 --assume-clean "${p2[@]}"
root /dev/md0
