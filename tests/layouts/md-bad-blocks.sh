usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --assume-clean "${p2[@]}"
root /dev/md0
mount /dev/md0 /mnt
cp /mnt/var/lib/dpkg/status /status
# the old content, on both legs
tr 0-9 1-90 < /status > /mnt/var/lib/dpkg/status
umount /mnt
mount /dev/md0 /mnt
# where it lies, in blocks of 4 KiB of the filesystem, thus of the array
filefrag -b4096 -v /mnt/var/lib/dpkg/status
extent=$(filefrag -b4096 -v /mnt/var/lib/dpkg/status | sed -n 's/^ *0: *[0-9]*\.\. *[0-9]*: *\([0-9]*\)\.\. .*/\1/p')
leg=/sys/block/md0/md/dev-$(basename "${p2[0]}")
# a leg that failed to write keeps account of where
echo write_error > "$leg/state"
# counted from the start of the member, in sectors
first=$(($(cat "$leg/offset") + extent * 8 + 64))
echo "$first 64" > "$leg/bad_blocks"
cat "$leg/bad_blocks"
# the new content, in place: not on the bad blocks of the first leg
dd if=/status of=/mnt/var/lib/dpkg/status conv=notrunc oflag=direct bs=4k status=none
umount /mnt
mount /dev/md0 /mnt
cmp /status /mnt/var/lib/dpkg/status
umount /mnt
mdadm --stop /dev/md0
mdadm --examine "${p2[0]}" | grep -i 'bad block'
for leg in "${p2[@]}"; do
    dd if="$leg" of="/$(basename "$leg")" bs=512 skip="$first" count=64 status=none
done
if cmp /nvme0n1p2 /nvme1n1p2; then false; fi
