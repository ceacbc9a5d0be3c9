usual "${d[@]}"
vgcreate vg0 "${p2[@]}"
lvcreate -y -n root -L 80M vg0 "${p2[0]}"
lvcreate -y -n data -L 40M vg0 "${p2[1]}"
mkfs.ext4 -q /dev/vg0/data
root /dev/vg0/root
