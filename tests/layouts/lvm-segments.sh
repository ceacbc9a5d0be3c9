usual "${d[@]}"
vgcreate -s 1M vg0 "${p2[@]}"
lvcreate -y -n root -L 8M vg0 "${p2[1]}"
lvcreate -y -n other -L 8M vg0 "${p2[1]}"
lvextend -L 24M /dev/vg0/root "${p2[0]}"
lvextend -L 40M /dev/vg0/other "${p2[0]}"
lvextend -L 56M /dev/vg0/root "${p2[1]}"
lvextend -L 64M /dev/vg0/root "${p2[0]}"
test "$(lvs --noheadings -o seg_count /dev/vg0/root | tr -d ' ')" -ge 4
root /dev/vg0/root
