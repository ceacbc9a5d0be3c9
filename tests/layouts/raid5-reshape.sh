usual "${d[@]}"
array /dev/md0 --level=5 --chunk=64 --assume-clean --raid-devices=3 "${p2[@]:0:3}"
root /dev/md0
mdadm /dev/md0 --add "${p2[3]}"
echo 500 > /proc/sys/dev/raid/speed_limit_max
echo 100 > /proc/sys/dev/raid/speed_limit_min
mdadm --grow /dev/md0 --raid-devices=4
moved() { case $(cat /sys/block/md0/md/reshape_position) in none | 0) false ;; esac; }
until_ok moved
recorded() { mdadm --examine "${p2[0]}" | grep -q 'Reshape pos.* : [1-9]'; }
until_ok recorded
crash
