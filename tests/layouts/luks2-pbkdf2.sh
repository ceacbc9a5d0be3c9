usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --assume-clean "${p2[@]}"
luks /dev/md0 --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --sector-size 4096
root /dev/mapper/luks0
