usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --bitmap=internal --assume-clean "${p2[@]}"
root /dev/md0
