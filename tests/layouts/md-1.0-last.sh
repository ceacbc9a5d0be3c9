for disk in "${d[@]}"; do
    printf 'label: dos\nstart=2048, type=fd\n' | table "$disk"
done
array /dev/md0 --level=1 --raid-devices=2 --metadata=1.0 --assume-clean "${p1[@]}"
root /dev/md0
# the trap is one only if nothing lies behind the partition
test "$(blockdev --getsz "${p1[0]}")" = $(($(blockdev --getsz "${d[0]}") - 2048))
