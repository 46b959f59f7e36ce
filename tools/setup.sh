# shellcheck shell=sh
# Sourced by demo, test and bench, from the top of the tree, with $setup_script naming the one: brings what tools/packages
# lists, then builds. POSIX shell and what every Debian has (Essential packages), nothing else.
# Exits: 69 no way to install, 70 the build failed, 77 no rights to.

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # where haproxy lies for those who aren't root

EX_UNAVAILABLE=69 EX_SOFTWARE=70 EX_NOPERM=77
setup_log=build/setup.log
setup_policy=/usr/sbin/policy-rc.d
setup_policy_mark='written by tools/setup.sh'

setup_say() { printf '%s\n' "$*" >&2; }

setup_fail() { # CODE MESSAGE...
  setup_code=$1
  shift
  setup_say "$@"
  exit "$setup_code"
}

# ---- packages ----

setup_list() { # SECTION...: its rows, "package probe [daemon]"
  awk -v wanted=" $* " '
    /^[ \t]*(#|$)/ { next }
    /^\[/          { gsub(/[][]/, ""); on = index(wanted, " " $1 " "); next }
    on             { print $1, $2, $3 }' tools/packages
}

setup_have() { # PROBE
  case $1 in
  command:*) command -v "${1#*:}" >/dev/null 2>&1 ;;
  library:*) pkg-config --exists "${1#*:}" 2>/dev/null ;;
  header:*) printf '#include <%s>\n' "${1#*:}" | gcc -E - >/dev/null 2>&1 ;;
  sanitizers:*) echo 'int main(void){return 0;}' | "${1#*:}" -fsanitize=address,undefined -x c -o /dev/null - 2>/dev/null ;;
  file:*) [ -e "${1#*:}" ] ;;
  python:*) /usr/bin/python3 -c "import ${1#*:}" >/dev/null 2>&1 ;;
  *) setup_fail "$EX_SOFTWARE" "tools/packages: '$1' is no way to tell that a package is there" ;;
  esac
}

setup_missing() { # SECTION...
  setup_list "$@" | while read -r package probe daemon; do
    setup_have "$probe" || printf '%s ' "$package"
  done
}

# Debian's packages ask this script before they start a daemon. Ours says no, but only while we live, so that nothing is wrong
# with the machine even when we are killed and leave it behind.
setup_forbid_daemons() {
  if grep -qs "$setup_policy_mark" "$setup_policy"; then
    rm -f "$setup_policy" # left by one of us that was killed
  elif [ -e "$setup_policy" ]; then
    setup_code=0
    "$setup_policy" haproxy start >/dev/null 2>&1 || setup_code=$?
    [ "$setup_code" -ne 101 ] || return 0 # this machine starts no daemons anyway
    setup_fail "$EX_UNAVAILABLE" "$setup_policy lets packages start their daemons, and is not ours to change." \
      "Install what is missing yourself: apt-get install --no-install-recommends $1"
  fi
  trap setup_allow_daemons EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  cat >"$setup_policy.new" <<POLICY
#!/bin/sh
# $setup_policy_mark while it installs packages, so that they start no daemons; without meaning when process $$ is gone.
kill -0 $$ 2>/dev/null && exit 101
exit 0
POLICY
  chmod 755 "$setup_policy.new"
  mv "$setup_policy.new" "$setup_policy"
}

setup_allow_daemons() {
  if grep -qs "$setup_policy_mark" "$setup_policy"; then rm -f "$setup_policy"; fi
  trap - EXIT INT TERM HUP
}

# Not started is not enough: nothing of ours may come up with the next boot either.
setup_disable_daemon() { # NAME
  if command -v systemctl >/dev/null 2>&1; then systemctl --quiet disable "$1.service" || true; fi
  if command -v update-rc.d >/dev/null 2>&1; then update-rc.d "$1" disable || true; fi
}

setup_apt() { # what apt-get is told, quietly
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -y -q "$@" </dev/null
}

setup_install() { # PACKAGE...
  setup_forbid_daemons "$*"
  { setup_apt update && setup_apt install --no-install-recommends "$@"; } >>"$setup_log" 2>&1 || {
    tail -n 15 "$setup_log" >&2
    setup_fail "$EX_UNAVAILABLE" "Installing failed; all of it is in $setup_log."
  }
  setup_list demo test bench | while read -r package probe daemon; do
    case " $* " in *" $package "*) [ -z "$daemon" ] || setup_disable_daemon "${daemon#daemon:}" >>"$setup_log" 2>&1 ;; esac
  done
  setup_allow_daemons
}

setup_packages() { # SECTION...: makes sure they are there
  setup_wanted=$(setup_missing "$@")
  [ -n "$setup_wanted" ] || return 0
  setup_sections=$*
  # shellcheck disable=SC2086 # lists of words, here and below
  set -- $setup_wanted
  command -v apt-get >/dev/null 2>&1 ||
    setup_fail "$EX_UNAVAILABLE" "Missing, by their Debian names: $*
There is no apt-get on this machine: install them your way, then try again."
  [ "$(id -u)" -eq 0 ] ||
    setup_fail "$EX_NOPERM" "Missing: $*
Installing them needs root. Type one of these lines, then try again:
  sudo $PWD/$setup_script --setup
  sudo apt-get install --no-install-recommends $*"
  setup_began=$(date +%s)
  setup_say "Installing $# Debian packages and what they need ..."
  setup_install "$@"
  setup_wanted=$(setup_missing $setup_sections)
  [ -z "$setup_wanted" ] || setup_fail "$EX_UNAVAILABLE" "Still missing: $setup_wanted" "What apt-get said is in $setup_log."
  setup_say "Installed in $(($(date +%s) - setup_began)) s."
}

# ---- the build ----

setup_quietly() { # COMMAND...: its output goes to the log, and to the terminal when it fails
  if ! "$@" >>"$setup_log" 2>&1; then
    tail -n 25 "$setup_log" >&2
    setup_fail "$EX_SOFTWARE" "Failed: $*" "All of it is in $setup_log."
  fi
}

# Builds in DIRECTORY, configured with OPTIONs when it is new or has others. A directory that came from elsewhere, or that was
# half made, is configured anew.
setup_build() { # COMPILER DIRECTORY OPTION...
  setup_compiler=$1 setup_directory=$2
  shift 2
  setup_options="$PWD $setup_compiler $*"
  if [ ! -f "$setup_directory/build.ninja" ] || [ "$(cat "$setup_directory/configured" 2>/dev/null)" != "$setup_options" ]; then
    mkdir -p "$setup_directory"
    rm -rf "$setup_directory/meson-private" "$setup_directory/meson-info" "$setup_directory/build.ninja" "$setup_directory/configured"
    setup_quietly env CC="$setup_compiler" meson setup "$setup_directory" "$@"
    echo "$setup_options" >"$setup_directory/configured"
  fi
  setup_quietly ninja -C "$setup_directory"
}

# The log and the build lie in the tree: say so plainly when it isn't ours to write.
setup_begin() {
  if ! mkdir -p build 2>/dev/null || ! : 2>/dev/null >>"$setup_log"; then
    setup_fail "$EX_NOPERM" "$PWD/build is not writable for $(id -un); was it made by root? Remove it, or run this as its owner."
  fi
  printf '\n== %s, %s\n' "$setup_script" "$(date)" >>"$setup_log"
}

# `SCRIPT --setup`: only the packages, so that root leaves nothing in a user's tree.
setup_only() { # SECTION...
  setup_log=$(mktemp /tmp/novacron-setup.XXXXXX)
  setup_packages "$@"
  rm -f "$setup_log"
  setup_say "All packages are there."
  exit 0
}
