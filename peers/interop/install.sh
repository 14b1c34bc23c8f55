#!/bin/bash
# Installs the OPs that package interop runs, on Debian 12 or later, as root:
#
#   bash peers/interop/install.sh
#
# What is already there is left alone, so a second run takes a second. npm and
# pip install beside their manifests, in folders that git ignores.
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

apt_packages() {
  # dbconfig-no-thanks would leave the package half configured.
  local wanted=(glewlwyd dbconfig-sqlite3 sqlite3)
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

apt_packages
npm_packages
python_packages
go_modules
say 'every OP is installed'
