# shellcheck shell=bash
# repack NAME ... : packs installed packages again, out of their own files as
# they are now, into the folder $REPACK_TO [srv/debs]. Called in the patient's
# root before it is broken.
repack() {
    local name folder=${REPACK_TO:-srv/debs} files version architecture stem
    mkdir -p "$folder"
    for name; do
        rm -rf repack
        mkdir -p repack/DEBIAN
        # shellcheck disable=SC2016 # dpkg's own fields
        architecture=$(chroot . dpkg-query -W -f '${Architecture}' "$name")
        # shellcheck disable=SC2016 # dpkg's own fields
        version=$(chroot . dpkg-query -W -f '${Version}' "$name")
        stem=var/lib/dpkg/info/$name
        [ -e "$stem.list" ] || stem=var/lib/dpkg/info/$name:$architecture
        while read -r path; do
            if [ "$path" != /. ] && { [ -e ".$path" ] || [ -L ".$path" ]; }; then
                printf '.%s\n' "$path"
            fi
        done < "$stem.list" > repack.list
        # A directory of the package may be a link on a merged /usr.
        files=$(mktemp)
        while read -r path; do
            if [ -d "$path" ]; then
                mkdir -p "repack/$path"
                chmod --reference="$path" "repack/$path"
                chown --reference="$path" "repack/$path"
            else
                printf '%s\n' "$path" >> "$files"
            fi
        done < repack.list
        tar --no-recursion -cf - -T "$files" | tar -xpf - -C repack
        rm "$files" repack.list
        chroot . dpkg-query -s "$name" |
            awk '/^(Status|Conffiles):/ { skip = 1; next } /^ / && skip { next }
                { skip = 0; print }' > repack/DEBIAN/control
        for file in conffiles md5sums postinst postrm prerm preinst triggers; do
            [ ! -e "$stem.$file" ] || cp "$stem.$file" "repack/DEBIAN/$file"
        done
        dpkg-deb -Znone -b repack "$folder/${name}_${version//:/%3a}_$architecture.deb" > /dev/null
        rm -r repack
    done
}
