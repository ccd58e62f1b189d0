# Sourced by packaging/quickstart, tests/run and .ci/run: the Debian packages each step needs, and how to
# build. The one place where they are named.

BUILD_PACKAGES=(cmake ninja-build g++ pkg-config libuv1-dev libcurl4-openssl-dev rapidjson-dev libsqlite3-dev
  libpqxx-dev libssl-dev libfmt-dev node-llhttp zlib1g-dev ca-certificates)
TEST_PACKAGES=(doctest-dev python3 curl git nodejs npm openssl postgresql procps)
ABI_PACKAGES=(abigail-tools binutils gcc-mingw-w64-x86-64)
FUZZ_PACKAGES=(clang libclang-rt-14-dev)
BENCH_PACKAGES=(nginx-light haproxy)

# Compiler caches, where there is one, serve every checkout alike.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# again COMMAND...: up to three times, for servers that are away for a moment.
again() {
  local try
  for try in 1 2 3; do
    "$@" && return 0
    [ "$try" = 3 ] || sleep $((try * 10))
  done
  return 1
}

# Installs what is missing; asks the package manager only when something is.
install_packages() {
  local missing=() p
  for p in "$@"; do
    # Node.js may come from elsewhere: what counts is that the commands are there.
    case $p in
      nodejs) command -v node >/dev/null && continue ;;
      npm) command -v npm >/dev/null && continue ;;
    esac
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing: ${missing[*]}" >&2
  # Another process may hold the package manager's lock for a while, as on a machine that has just started.
  local apt=(as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  again "${apt[@]}" update
  again "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# configure_and_build PRESET TARGET...
configure_and_build() {
  local preset=$1
  shift
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" -j "${JOBS:-$(nproc)}" --target "$@"
}
