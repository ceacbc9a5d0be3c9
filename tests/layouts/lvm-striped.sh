usual "${d[@]}"
vgcreate vg0 "${p2[@]}"
lvcreate -y -n root -i 2 -I 64k -L 100M vg0
root /dev/vg0/root
