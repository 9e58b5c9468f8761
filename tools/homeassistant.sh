#!/usr/bin/env bash
# Prepare a folder with Home Assistant and the Python it needs, for tests/homeassistant; a folder that is ready is left as it is.
# Usage: tools/homeassistant.sh [DIR]     default: ~/.cache/mitherm-hass
#
# Debian testing goes into the folder (half a gigabyte), Home Assistant into a virtual environment at /ha in it.
# Delete the folder for newer versions. Needs root or sudo; debootstrap is installed with apt when missing.
set -euo pipefail

suite=forky
dir=${1:-$HOME/.cache/mitherm-hass}
uv=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../.venv/bin/uv")
sudo=()
[[ $(id -u) == 0 ]] || sudo=(sudo)

inside() { "${sudo[@]}" chroot "$dir" env -i PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"; }

add() { inside SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt uv pip install -q --no-cache --python /ha/bin/python "$@"; }

# What its MQTT integration, and what that one imports, would install at their first start.
requirements='
import homeassistant, json, pathlib
for name in ("mqtt", "hassio", "http", "file_upload"):
    manifest = pathlib.Path(homeassistant.__path__[0], "components", name, "manifest.json")
    for one in json.loads(manifest.read_text()).get("requirements", ()):
        print(one)'

# The script of sid serves all later suites, which an older debootstrap does not know by name.
bootstrap() {
  command -v debootstrap > /dev/null || PATH=$PATH:/usr/sbin command -v debootstrap > /dev/null ||
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends debootstrap
  "${sudo[@]}" rm -rf "$dir"
  mkdir -p "$(dirname "$dir")"
  "${sudo[@]}" env PATH="$PATH:/usr/sbin" debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates \
    "$suite" "$dir" '' /usr/share/debootstrap/scripts/sid
  "${sudo[@]}" touch "$dir/bootstrapped"
}

# The settings and certificates of this computer's package client hold inside, too.
install_homeassistant() {
  "${sudo[@]}" cp "$uv" "$dir/usr/local/bin/uv"
  "${sudo[@]}" cp -L /etc/resolv.conf "$dir/etc/resolv.conf"
  "${sudo[@]}" cp -L /etc/ssl/certs/ca-certificates.crt "$dir/etc/ssl/certs/ca-certificates.crt"
  inside uv venv -q --clear /ha
  add homeassistant
  local wanted
  mapfile -t wanted < <(inside /ha/bin/python -c "$requirements")
  add "${wanted[@]}"
  inside /ha/bin/python -c 'import homeassistant.const as ha; print("Home Assistant", ha.__version__)'
  "${sudo[@]}" touch "$dir/ready"
}

[[ -e $dir/bootstrapped ]] || bootstrap
[[ -e $dir/ready ]] || install_homeassistant
