modprobe raid10
mdadm --create /dev/md127 --run --metadata=ddf --raid-devices=4 "${d[@]}"
mdadm --create /dev/md126 --run --level=10 --chunk=64 --raid-devices=4 --assume-clean /dev/md127
until_ok test -b /dev/md126
root /dev/md126
sync
mdadm --wait-clean /dev/md126
mdadm --stop /dev/md126
