usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --assume-clean "${p2[@]}"
root /dev/md0
mdadm --stop /dev/md0
for leg in "${p2[@]}"; do
    mdadm --assemble --run --force /dev/md0 "$leg"
    mount /dev/md0 /mnt
    sed -i "s|^PRETTY_NAME.*|PRETTY_NAME=\"Lab md-split on $(basename "$leg")\"|" \
        /mnt/etc/os-release
    umount /mnt
    mdadm --stop /dev/md0
done
