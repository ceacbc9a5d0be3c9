usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --assume-clean "${p2[@]}"
luks /dev/md0 --type luks1 --pbkdf-force-iterations 1000 --cipher aes-cbc-essiv:sha256 --key-size 256 --hash sha1
root /dev/mapper/luks0
