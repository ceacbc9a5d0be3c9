printf 'label: gpt\nsize=32M, type=linux\ntype=linux\n' | table "${d[0]}"
mkfs.ext4 -q -F "${p1[0]}"
luks "${p2[0]}" --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000
vgcreate vg0 /dev/mapper/luks0
lvcreate -y -n swap -L 16M vg0
lvcreate -y -n root -L 120M vg0
mkswap /dev/vg0/swap
root /dev/vg0/root ext4 "UUID=$(uuid "${p1[0]}") /boot ext4 defaults 0 2" \
    "/dev/mapper/vg0-swap none swap sw 0 0"
