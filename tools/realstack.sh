#!/usr/bin/env bash
# Run a command in a virtual machine whose Bluetooth is genuine from the kernel up: /dev/vhci, kernel, bluetoothd, D-Bus.
# Usage: tools/realstack.sh OUTDIR COMMAND...
#
# The guest sees this computer's files read-only under a layer of memory, and OUTDIR as /out, where `log`, `dmesg` and
# `bluetoothd.log` end up. The exit status is the command's; 99 = the machine stopped before it. Missing packages are
# installed with apt. Settings: REALSTACK_CACHE, REALSTACK_TIMEOUT (s), REALSTACK_BTD (arguments of bluetoothd).
set -euo pipefail

(( $# >= 2 )) || { sed -n '2,3p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(realpath "$1")
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

install_packages() {
  local wanted=(qemu-system-x86 cpio kmod busybox-static bluez dbus) missing=() package
  for package in "${wanted[@]}"; do
    dpkg -s "$package" > /dev/null 2>&1 || missing+=("$package")
  done
  (( ${#missing[@]} == 0 )) && return
  local sudo=''
  [[ $(id -u) == 0 ]] || sudo=sudo
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" > "$out/apt" 2>&1
}

# The generic kernel, unpacked but not installed: the running one may lack Bluetooth. Sets `kernel` and `version`.
unpack_kernel() {
  local package cache=${REALSTACK_CACHE:-$HOME/.cache/realstack}
  package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1)
  [[ $package ]] || { echo "apt knows no kernel: apt-get update" >&2; exit 98; }
  version=${package#linux-image-}
  kernel=$cache/$package
  [[ -e $kernel/ready ]] && return
  rm -rf "$kernel"
  mkdir -p "$kernel/download"
  (cd "$kernel/download" && apt-get download -qq -o APT::Sandbox::User=root "$package" && dpkg -x ./*.deb "$kernel")
  rm -rf "$kernel/download"
  depmod -b "$kernel" "$version"
  touch "$kernel/ready"
}

# First stage: just what mounts the file systems of this computer.
build_initrd() {
  local root=$work/initrd module
  mkdir -p "$root"/{bin,proc,sys,dev,host,layer,root,modules}
  cp /bin/busybox "$root/bin/"
  for module in virtio_pci 9pnet_virtio 9p overlay; do
    modprobe -d "$kernel" -S "$version" --show-depends "$module"
  done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' | while read -r module; do
    cp "$module" "$root/modules/"
    basename "$module" >> "$root/modules/order"
  done
  cat > "$root/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
while read -r module; do $b insmod "/modules/$module"; done < /modules/order
how=trans=virtio,version=9p2000.L,msize=512000
{
  $b mount -t 9p -o "$how,ro,cache=loose" host /host &&
  $b mount -t tmpfs layer /layer && $b mkdir /layer/new /layer/work &&
  $b mount -t overlay -o lowerdir=/host,upperdir=/layer/new,workdir=/layer/work root /root &&
  $b mkdir -p /root/out && $b mount -t 9p -o "$how" out /root/out
} || $b poweroff -f
for part in dev proc sys; do $b mount --move "/$part" "/root/$part"; done
exec $b switch_root /root /bin/bash /out/guest.sh
INIT
  chmod +x "$root/init"
  (cd "$root" && find . | cpio -o -H newc --quiet) | gzip -1 > "$work/initrd.gz"
}

# Second stage: the services, the command, its status.
write_guest() {
  cat > "$out/guest.sh" <<GUEST
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 MITHERM_REALSTACK=1
ip link set lo up
mount -t tmpfs run /run
mkdir -p /run/dbus /var/lib/bluetooth /lib/modules
ln -sfn $kernel/lib/modules/$version /lib/modules/$version
modprobe hci_vhci
dbus-daemon --system --fork --nopidfile
/usr/libexec/bluetooth/bluetoothd -n ${REALSTACK_BTD:-} > /out/bluetoothd.log 2>&1 &
for try in \$(seq 100); do
  busctl --system list 2> /dev/null | grep -q org.bluez && break
  sleep 0.1
done
cd $(printf %q "$PWD")
{ $(printf '%q ' "$@"); } > /out/log 2>&1
echo \$? > /out/rc
dmesg > /out/dmesg
sync
echo o > /proc/sysrq-trigger
sleep 10
GUEST
}

# Without KVM, which is of no use where virtual machines are already virtual.
run_machine() {
  timeout "${REALSTACK_TIMEOUT:-1800}" qemu-system-x86_64 \
    -accel tcg,thread=multi,tb-size=512 -cpu Nehalem -smp 2 -m 1024 \
    -nodefaults -no-user-config -display none -no-reboot \
    -kernel "$kernel/boot/vmlinuz-$version" -initrd "$work/initrd.gz" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off" \
    -serial "file:$out/console" -device virtio-rng-pci \
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
    -virtfs "local,path=$out,mount_tag=out,security_model=none" \
    < /dev/null > "$out/qemu" 2>&1 || true
}

rm -f "$out"/{rc,log,console,qemu,dmesg}
install_packages
unpack_kernel
build_initrd
write_guest "$@"
run_machine
cat "$out/log" 2> /dev/null || true
if [[ ! -e $out/rc ]]; then
  echo "the machine stopped before the command ended" >&2
  tail -n 5 "$out/qemu" "$out/console" >&2 || true
  exit 99
fi
exit "$(cat "$out/rc")"
