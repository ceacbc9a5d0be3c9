# What a server may have outside of its packages, and all of it works. Run by
# bash in the root.

make=$(mktemp -d)
trap 'rm -r "$make"' EXIT
echo 'int part(void) { return 1; }' > "$make/part.c"
echo 'int part(void); int main(void) { return part(); }' > "$make/main.c"

# program DIRECTORY LIBRARY-DIRECTORY: one that a script tells where to look.
program() {
    mkdir -p "$1" "$2"
    gcc -shared -fPIC -Wl,-soname,libpart.so.7 -o "$2/libpart.so.7" "$make/part.c"
    gcc -o "$1/program" "$make/main.c" "$2/libpart.so.7"
}
program opt/vendor/bin opt/vendor/lib
program srv/jail/bin srv/jail/lib/x86_64-linux-gnu
program home/user/.local/share/game home/user/.local/share/game/lib
program usr/lib/suite/program usr/lib/suite/private
program usr/share/suite/bin usr/share/suite/lib
program usr/libexec/suite usr/libexec/suite/lib
program var/lib/service/tool/bin var/lib/service/tool/lib
program var/www/site/bin var/www/site/lib
program data/application/bin data/application/lib

# Outside of a bundle: a script, or a unit that nothing starts now, says where.
program usr/local/sbin usr/local/lib/told
mv usr/local/sbin/program usr/local/sbin/told-by-unit
cp usr/local/sbin/told-by-unit usr/local/sbin/told-by-script
cat > usr/local/bin/told <<'SCRIPT'
#!/bin/bash
HERE=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
export LD_LIBRARY_PATH="$HERE/../lib/told${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec /usr/local/sbin/told-by-script "$@"
SCRIPT
chmod 755 usr/local/bin/told
cat > etc/systemd/system/told.service <<'UNIT'
[Service]
Environment="OTHER=1" LD_LIBRARY_PATH=/usr/local/lib/told
ExecStart=/usr/local/sbin/told-by-unit
UNIT

# for_loader LOADER FILE: one made for another C library or another system, as
# bundles for many systems have them.
for_loader() {
    mkdir -p "${2%/*}"
    gcc -o "$2" "$make/main.c" "$make/part.c" -Wl,--dynamic-linker="$1"
}
modules=var/www/site/node_modules
for_loader /lib/ld-musl-x86_64.so.1 $modules/tool-linux-x64-musl/bin/tool
for_loader /libexec/ld-elf.so.1 $modules/tool-freebsd-x64/bin/tool
for_loader /system/bin/linker64 opt/vendor/android/tool

# A whole other system, whose libraries are its own.
inner=srv/containers/inner/rootfs
mkdir -p $inner/etc $inner/lib64 $inner/usr/bin
cp etc/os-release $inner/etc/
cp lib64/ld-linux-x86-64.so.2 $inner/lib64/
cp opt/vendor/bin/program $inner/usr/bin/
