usual "${d[@]}"
array /dev/md0 --level=1 --raid-devices=2 --metadata=1.2 --assume-clean "${p2[@]}"
root /dev/md0
mdadm --stop /dev/md0
# what kernels since 6.19 write: the logical block size, where older ones want
# zeros; with the checksum over it (drivers/md/md.c, calc_sb_1_csum)
word() { od -An -v -tu4 -j "$1" -N 4 /super | tr -d ' '; }
put() {
    # shellcheck disable=SC2059 # the format is the bytes
    printf "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($2 & 255)) $(($2 >> 8 & 255)) \
        $(($2 >> 16 & 255)) $(($2 >> 24 & 255)))" |
        dd of=/super bs=1 seek="$1" conv=notrunc status=none
}
for leg in "${p2[@]}"; do
    dd if="$leg" of=/super bs=4k skip=1 count=1 status=none
    put 224 512
    put 216 0
    sum=0
    for number in $(od -An -v -tu4 -N $((256 + 2 * $(word 220))) /super); do
        sum=$((sum + number))
    done
    put 216 $(((sum & 0xffffffff) + (sum >> 32)))
    dd if=/super of="$leg" bs=4k seek=1 conv=notrunc status=none
done
# the kernel here refuses it now
if mdadm --assemble /dev/md0 "${p2[@]}"; then false; fi
