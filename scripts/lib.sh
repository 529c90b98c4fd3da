# shellcheck shell=bash
# What the scripts share. Messages go to standard error: standard output belongs to the program that a script runs.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
logs=$root/build/logs
jobs=${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}

# Debian 12's and Ubuntu 24.04's packages. CLI11, toml++, nlohmann_json, fmt, protozero, Boost.CRC, Boost.Math and Highway are used header-only.
# shellcheck disable=SC2034
build_packages=(g++ cmake ninja-build libhwy-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libfmt-dev libprotozero-dev
  libboost-dev libopenblas-dev libcairo2-dev libgif-dev)
# For cupg-gradcheck alone: scripts/build installs them, scripts/train does not.
# shellcheck disable=SC2034
gradcheck_packages=(libginac-dev libadolc-dev)
# Both have clang-format-14, whose opinion on our sources counts; later versions have others.
# shellcheck disable=SC2034
test_packages=(libgtest-dev libbenchmark-dev libmpfr-dev librandom123-dev zlib1g-dev libboost-context-dev libopenmpi-dev openmpi-bin iproute2 zsh fish mandoc bash-completion clang libclang-rt-dev clang-tidy clang-format-14 python3 python3-venv)
# Runs the page of `cupg report`. Ubuntu has it as a snap alone: there that test is skipped, or takes another Chromium that is in the path.
if grep -qsx 'ID=debian' /etc/os-release; then test_packages+=(chromium); fi

say() { printf '%s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# seconds_since START: START is an $EPOCHREALTIME.
seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }'; }

# need_packages PACKAGE...: installs those that are missing. Nothing happens, and nobody is asked, where all are there.
need_packages() {
  command -v dpkg-query > /dev/null || return 0 # not a Debian: CMake says what it misses
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2> /dev/null | grep -qx installed || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0

  local as_root=()
  [[ $EUID -eq 0 ]] || as_root=(sudo)
  local update=("${as_root[@]}" apt-get update)
  local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}")
  local shown="${update[*]} && ${install[*]}"
  if [[ $EUID -ne 0 ]]; then
    command -v sudo > /dev/null || die "missing packages; as root, run: ${shown//sudo /}"
    if [[ -t 0 && -t 2 ]]; then
      say "missing packages; this installs them:"
      say "  $shown"
      local answer
      read -r -p "Run it? [y/N] " answer
      [[ $answer == [yY]* ]] || die "nothing was installed"
    else
      sudo -n true 2> /dev/null || die "missing packages, and no terminal to ask for a password on; run: $shown"
    fi
  fi
  say "installing: ${missing[*]}"
  if [[ $EUID -ne 0 ]]; then sudo -v; fi # asks for the password here, not inside the log
  logged packages-update "${update[@]}" || say "going on with the package lists that are there"
  logged packages "${install[@]}" || die "could not install the packages: $shown"
}

# Other projects' readers of what cupg exports, in a Python of their own, build/venv. Made again where tests/requirements.txt has changed.
python_packages() {
  local venv=$root/build/venv wanted=$root/tests/requirements.txt
  cmp -s "$wanted" "$venv/requirements.txt" && return
  say "installing tests/requirements.txt in build/venv"
  if logged venv python3 -m venv --clear "$venv" && logged pip "$venv/bin/pip" install --disable-pip-version-check -r "$wanted"; then
    cp "$wanted" "$venv"
  else
    rm -rf "$venv"
    say "without Python's packages: the tests that need them are skipped"
  fi
}

# progress NAME: shows the count of the last line that begins with ninja's [n/m], where standard error is a terminal.
progress() {
  [[ -t 2 ]] || exec cat > /dev/null
  local line
  while IFS= read -r line; do
    [[ $line =~ ^\[([0-9]+/[0-9]+)\] ]] && printf '\r\033[K%s %s' "$1" "${BASH_REMATCH[1]}" >&2
  done
  printf '\r\033[K' >&2
}

# logged NAME COMMAND...: output to build/logs/NAME.log; shown (its end, without progress lines) where the command fails.
logged() {
  local log=$logs/$1.log status=0
  mkdir -p "$logs"
  "${@:2}" 2>&1 | tee "$log" | progress "$1" || status=1
  [[ $status -eq 0 ]] || grep -v '^\[[0-9]*/[0-9]*\]' "$log" | tail -n 300 >&2
  return $status
}

# In the repository's root, where the presets are.
at_root() { (cd "$root" && "$@"); }

# configure PRESET [CMAKE OPTION...]
configure() {
  # ccache, where it is there; a launcher of the user's own wins
  if command -v ccache > /dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER-ccache}; fi
  at_root logged "configure-$1" cmake --preset "$@"
}

# build PRESET [TARGET...]
build() {
  local targets=()
  [[ $# -eq 1 ]] || targets=(--target "${@:2}")
  at_root logged "build-$1" cmake --build --preset "$1" --parallel "$jobs" "${targets[@]}"
}

# nvcc's path, where there is one.
find_nvcc() { PATH=$PATH:/usr/local/cuda/bin command -v nvcc; }

# cuda_options ARCHITECTURES: CMake options that build the CUDA plug-in with nvcc where there is one, and leave it out elsewhere.
cuda_options() {
  local nvcc
  if nvcc=$(find_nvcc); then
    printf '%s\n' -DCUPG_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=$1" "-DCMAKE_CUDA_COMPILER=$nvcc"
  else
    echo -DCUPG_CUDA=OFF
  fi
}
# A device takes part in training only where it is seen here: building for it takes a minute.
has_device() { command -v nvidia-smi > /dev/null && nvidia-smi -L > /dev/null 2>&1; }

# has_target TARGET: whether build/release knows it.
has_target() { grep -q "^build $1:" "$root/build/release/build.ninja"; }

# build_command [gradcheck]: build/release/cupg, without the tests unless a test run has configured them; and cupg-gradcheck.
build_command() {
  local start=$EPOCHREALTIME
  need_packages "${build_packages[@]}"
  [[ ${1-} != gradcheck ]] || need_packages "${gradcheck_packages[@]}"
  [[ -e $root/build/release/build.ninja ]] || say "building cupg in build/release (once)"
  local targets=(cupg_cli) cuda=(-DCUPG_CUDA=OFF)
  if has_device; then
    mapfile -t cuda < <(cuda_options native)
    if [[ ${cuda[0]} == *=ON ]]; then targets+=(cupg_cuda); else say "a GPU, but no nvcc: without the CUDA toolkit (12.0 or newer) the CPU trains"; fi
  fi
  [[ -e $root/build/release/build.ninja ]] || configure release -DCUPG_TESTS=OFF -DCUPG_BENCHMARKS=OFF "${cuda[@]}" || return 1
  grep -q '^CUPG_CUDA:.*=ON' "$root/build/release/CMakeCache.txt" || targets=(cupg_cli)
  if [[ ${1-} == gradcheck ]]; then
    has_target cupg_gradcheck || at_root logged configure-release cmake --preset release || return 1 # packages that are new here
    if has_target cupg_gradcheck; then targets+=(cupg_gradcheck); else say "without cupg gradcheck, which needs: ${gradcheck_packages[*]}"; fi
  fi
  build release "${targets[@]}" || return 1
  [[ $(seconds_since "$start") == [01].* ]] || say "built in $(seconds_since "$start")"
}
