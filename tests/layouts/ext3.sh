usual "${d[@]}"
root "${p2[0]}" ext3
