usual "${d[@]}"
vgcreate vg0 "${p2[@]}"
lvcreate -y -n root --type raid1 -m 1 --nosync -L 100M vg0
root /dev/vg0/root
