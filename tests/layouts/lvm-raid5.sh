usual "${d[@]}"
vgcreate vg0 "${p2[@]}"
lvcreate -y -n root --type raid5 -i 2 -I 64k --nosync -L 100M vg0
root /dev/vg0/root
