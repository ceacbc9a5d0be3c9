modprobe raid0
mdadm --create /dev/md127 --run --metadata=ddf --raid-devices=2 "${d[@]}"
mdadm --create /dev/md126 --run --level=0 --chunk=64 --raid-devices=2 /dev/md127
until_ok test -b /dev/md126
root /dev/md126
sync
mdadm --stop /dev/md126
