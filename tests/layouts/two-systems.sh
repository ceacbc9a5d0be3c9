usual "${d[@]}"
root "${p2[0]}"
root "${p2[1]}"
