usual "${d[@]}"
root "${p2[0]}"
dd if=/dev/zero of="${d[0]}" bs=512 seek=1 count=33 conv=notrunc status=none
