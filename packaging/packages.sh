# Sourced by packaging/quickstart, tests/run and .ci/run: the Debian packages each step needs, and how to
# build. The one place where they are named.

BUILD_PACKAGES=(cmake ninja-build g++ pkg-config libuv1-dev libcurl4-openssl-dev rapidjson-dev libsqlite3-dev
  libpqxx-dev libssl-dev libfmt-dev node-llhttp zlib1g-dev ca-certificates)
TEST_PACKAGES=(doctest-dev python3 curl nodejs npm openssl postgresql)
ABI_PACKAGES=(abigail-tools binutils gcc-mingw-w64-x86-64)
FUZZ_PACKAGES=(clang libclang-rt-14-dev)
BENCH_PACKAGES=(nginx-light haproxy)

# Compiler caches, where there is one, serve every checkout alike.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

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
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# configure_and_build PRESET TARGET...
configure_and_build() {
  local preset=$1
  shift
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" -j "${JOBS:-$(nproc)}" --target "$@"
}
