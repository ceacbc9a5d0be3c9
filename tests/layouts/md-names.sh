usual "${d[@]}"
mdadm --create /dev/md0 --run --homehost=old.example.org \
    --name='my data/..#1' --level=1 --raid-devices=2 --metadata=1.2 \
    --assume-clean "${p2[@]}"
root /dev/md0
