#!/bin/bash
# Installs the OPs that package interop runs, and the servers behind which tests
# keep state, on Debian 12 or later, as root:
#
#   bash peers/interop/install.sh
#
# What is already there is left alone, so a second run takes a second. Only
# libraries and interpreters become part of the system; the OPs themselves go
# into folders beside their manifests, which git ignores.
set -euo pipefail
cd "$(dirname "$0")"

# The oldest Node.js that oidc-provider 9 runs on.
readonly node_wanted=20

say() { printf 'interop: %s\n' "$*"; }

# missing PACKAGE... prints those that dpkg does not have installed.
missing() {
  local p
  for p in "$@"; do
    [[ "$(dpkg-query -W -f='${Status}' "$p" 2>/dev/null)" == 'install ok installed' ]] || echo "$p"
  done
}

# apt_install PACKAGE... installs what is missing of them.
apt_install() {
  local todo
  mapfile -t todo < <(missing "$@")
  ((${#todo[@]})) || return 0
  say "installing ${todo[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  apt-get -qq install --no-install-recommends -o Dpkg::Use-Pty=0 "${todo[@]}" >/dev/null
}

# stamped DIR MANIFEST... succeeds when DIR was made from MANIFEST... as they are.
stamped() {
  local dir=$1
  shift
  [[ -f "$dir/.stamp" && "$(cat "$dir/.stamp")" == "$(cat "$@" | sha256sum)" ]]
}

stamp() {
  local dir=$1
  shift
  cat "$@" | sha256sum >"$dir/.stamp"
}

debian_packages() {
  local wanted=(postgresql redis-server sqlite3)
  command -v node >/dev/null || wanted+=(nodejs)
  command -v npm >/dev/null || wanted+=(npm)
  command -v python3 >/dev/null || wanted+=(python3)
  python3 -c 'import ensurepip' 2>/dev/null || wanted+=(python3-venv)
  apt_install "${wanted[@]}"
  local version
  version=$(node --version)
  version=${version#v}
  if ((${version%%.*} < node_wanted)); then
    say "Node.js $node_wanted or later is needed, this is $version" >&2
    return 1
  fi
}

# glewlwyd is unpacked and not installed: the package would set up a database, a
# user and a service for the whole machine, and the tests need none of them.
glewlwyd_package() {
  local root=$PWD/ops/glewlwyd/.root
  local libraries
  [[ -n "$(apt-cache policy glewlwyd 2>/dev/null)" ]] || apt-get -qq update
  mapfile -t libraries < <(apt-cache depends glewlwyd | awk '$1 == "Depends:" && $2 ~ /^(lib|zlib)/ {print $2}')
  apt_install "${libraries[@]}"
  [[ -x "$root/usr/bin/glewlwyd" ]] && return
  say 'unpacking glewlwyd'
  local work
  work=$(mktemp -d)
  (cd "$work" && apt-get -qq update && apt-get -qq -o APT::Sandbox::User=root download glewlwyd)
  rm -rf "$root"
  dpkg-deb -x "$work"/glewlwyd_*.deb "$work/root"
  mv "$work/root" "$root"
  rm -rf "$work"
}

npm_packages() {
  local dir=ops/oidc-provider
  local manifests=("$dir/package.json" "$dir/package-lock.json")
  stamped "$dir/node_modules" "${manifests[@]}" && return
  say 'installing oidc-provider from npm'
  npm ci --prefix "$dir" --no-audit --no-fund --loglevel=error >/dev/null
  stamp "$dir/node_modules" "${manifests[@]}"
}

python_packages() {
  local dir=ops/pyoidc
  local manifests=("$dir/requirements.txt")
  stamped "$dir/.venv" "${manifests[@]}" && return
  say 'installing oic from PyPI'
  rm -rf "$dir/.venv"
  python3 -m venv "$dir/.venv"
  "$dir/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$dir/requirements.txt"
  stamp "$dir/.venv" "${manifests[@]}"
}

go_modules() {
  command -v go >/dev/null || { say 'Go is needed' >&2; return 1; }
  # Building says more than downloading: it is what the tests will do.
  go build -o /dev/null ./ops/luikyv
  go build -o /dev/null ./ops/zitadel
}

debian_packages
glewlwyd_package
npm_packages
python_packages
go_modules
say 'every OP is installed'
