#!/bin/sh
# Adds to a fresh tree what comes to servers without a package. Called by
# mmdebstrap with the tree as its only argument; the tree has gcc.
set -eu

chroot "$1" sh -eu <<'END'
make=$(mktemp -d)
cd "$make"
echo 'int part(void) { return 1; }' > part.c
echo 'int part(void); int whole(void) { return part(); }' > whole.c
echo 'int part(void); int main(void) { return part(); }' > main.c

# A python wheel: a module, and renamed copies of its libraries beside it.
site=/usr/local/lib/python3/dist-packages
mkdir -p $site/wheel $site/wheel.libs
cc -shared -fPIC -Wl,-soname,libpart-0a1b2c3d.so.1.2 \
    -o $site/wheel.libs/libpart-0a1b2c3d.so.1.2 part.c
cc -shared -fPIC -Wl,--disable-new-dtags,-rpath,'$ORIGIN' \
    -Wl,-soname,libwhole-9f8e7d6c.so.3 -o $site/wheel.libs/libwhole-9f8e7d6c.so.3 \
    whole.c $site/wheel.libs/libpart-0a1b2c3d.so.1.2
cc -shared -fPIC -Wl,--no-as-needed,--disable-new-dtags \
    -Wl,-rpath,'$ORIGIN/../wheel.libs' -Wl,-rpath-link,$site/wheel.libs \
    -o $site/wheel/module.so main.c $site/wheel.libs/lib*

# A vendor's bundle: a script tells the program where its libraries are. Some
# of them have the names of the system's.
bundle=/opt/vendor/program
mkdir -p $bundle/bin $bundle/lib
cc -shared -fPIC -Wl,-soname,libvendor.so.2 -o $bundle/lib/libvendor.so.2 part.c
cc -o $bundle/bin/program.bin main.c $bundle/lib/libvendor.so.2
cp /usr/lib/x86_64-linux-gnu/libz.so.1 $bundle/lib/libz.so.1
cat > $bundle/bin/program <<'SCRIPT'
#!/bin/sh
LD_LIBRARY_PATH=${0%/*}/../lib exec "${0%/*}/program.bin" "$@"
SCRIPT
cp $bundle/bin/program.bin $bundle/lib/away.bin
chmod 755 $bundle/bin/program

# One that looks beside itself, and one whose plugin needs its host's library.
other=/opt/other
mkdir -p $other/bin $other/lib/plugins
cp $bundle/lib/libvendor.so.2 $other/lib/
cc -Wl,-rpath,'$ORIGIN/../lib' -o $other/bin/other main.c $other/lib/libvendor.so.2
cc -shared -fPIC -o $other/lib/plugins/plugin.so whole.c $other/lib/libvendor.so.2

# What `make install` leaves, with its directory told to the loader.
mkdir -p /usr/local/lib/own
cc -shared -fPIC -Wl,-soname,libown.so.1 -o /usr/local/lib/own/libown.so.1.0 part.c
echo /usr/local/lib/own > /etc/ld.so.conf.d/own.conf
cc -o /usr/local/bin/own main.c /usr/local/lib/own/libown.so.1.0
cc -static -o /usr/local/bin/own-static main.c part.c
cc -static-pie -o /usr/local/bin/own-static-pie main.c part.c
musl-gcc -o /usr/local/bin/own-musl main.c part.c
ldconfig

# Programs for another machine: the cross loader, and a C library, which names
# that loader as a program does.
install -m 755 /usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1 /usr/local/bin/arm64-loader
install -m 755 /usr/aarch64-linux-gnu/lib/libc.so.6 /usr/local/bin/arm64-program

cd /
rm -r "$make"
END
