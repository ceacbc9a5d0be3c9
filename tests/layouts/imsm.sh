modprobe raid1
mdadm --create /dev/md127 --run --metadata=imsm --raid-devices=2 "${d[@]}"
mdadm --create /dev/md126 --run --level=1 --raid-devices=2 --assume-clean /dev/md127
until_ok test -b /dev/md126
printf 'label: gpt\ntype=linux\n' | table /dev/md126
root "$(part /dev/md126 1)"
sync
mdadm --wait-clean /dev/md126
mdadm --stop /dev/md126
