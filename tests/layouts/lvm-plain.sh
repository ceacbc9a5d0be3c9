printf 'label: gpt\nsize=32M, type=linux\ntype=lvm\n' | table "${d[0]}"
mkfs.ext4 -q -F "${p1[0]}"
vgcreate vg-with-dash "${p2[0]}"
lvcreate -y -n the-root -L 100M vg-with-dash
root /dev/vg-with-dash/the-root ext4 "UUID=$(uuid "${p1[0]}") /boot ext4 defaults 0 2"
