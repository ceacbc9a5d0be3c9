usual "${d[@]}"
vgcreate vg0 "${p2[0]}"
lvcreate -y --type thin-pool -n pool -L 160M vg0
lvcreate -y --type thin -n root -V 100M --thinpool pool vg0
root /dev/vg0/root
