usual "${d[@]}"
vgcreate vg0 "${p2[@]}"
lvcreate -y -n root --type mirror -m 1 --mirrorlog core --nosync -L 100M vg0
root /dev/vg0/root
