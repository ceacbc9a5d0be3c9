printf 'label: dos\nsize=16M, type=83\ntype=5\nsize=100M, type=83\ntype=82\n' |
    table "${d[0]}"
mkswap "$(part "${d[0]}" 6)"
root "$(part "${d[0]}" 5)" ext4 "UUID=$(uuid "$(part "${d[0]}" 6)") none swap sw 0 0"
