# Make a virtual environment ready, if it is not:   sh tools/setup.sh core|dev|lowest
#
#   core     .venv with what `mpc` itself needs            (requirements.lock)
#   dev      .venv with the tests and their tools besides  (requirements-dev.lock)
#   lowest   build/venv-lowest, oldest allowed releases    (requirements-lowest.txt)
#   python   only print the Python that would be used
#
# A stamp inside the environment holds a checksum of what it was made from, so that a second call ends at once.

set -eu
unset PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV

say() { printf 'beaverlodge: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 2
}

# Prints the first fit interpreter. Each is run, not only looked up: a version manager's stand-in may lie on the
# PATH and lead nowhere, and some systems ship Python without the part that makes virtual environments.
find_python() {
    probe='import sys
if sys.version_info < (3, 11): sys.exit(3)
try: import ensurepip, ssl, venv
except ImportError: sys.exit(4)'
    lacking=
    for candidate in ${PYTHON:+"$PYTHON"} $1 python3; do
        status=0
        "$candidate" -c "$probe" >/dev/null 2>&1 </dev/null || status=$?
        case $status in
            0)
                printf '%s\n' "$candidate"
                return
                ;;
            3) reason="is older than Python 3.11" ;;
            4)
                reason="cannot make virtual environments"
                [ -n "$lacking" ] || lacking=$("$candidate" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
                ;;
            *) reason="does not run" ;;
        esac
        [ "$candidate" != "${PYTHON:-}" ] || say "PYTHON=$PYTHON $reason; trying others"
    done
    if [ -n "$lacking" ]; then
        fail "$lacking cannot make virtual environments: install the package $lacking-venv" \
            "(Debian, Ubuntu: sudo apt-get install $lacking-venv) and try again"
    fi
    fail "no Python 3.11 or newer was found: install the packages python3 and python3-venv" \
        "(or name one, as in: make demo PYTHON=/path/to/python3.11) and try again"
}

pip_install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@" ||
        fail "pip could not install what $source_file lists (its own message is above): check the network and try again"
}

fingerprint() {
    { cat pyproject.toml "$1" && find mpc protocols -name '*.[ch]' | LC_ALL=C sort | xargs cat && pwd; } | cksum
}

ready() { # LEVEL FILE: was this level installed from the files as they are now, in this folder?
    [ -x "$venv/bin/python" ] && [ -f "$venv/.ready-$1" ] && [ "$(cat "$venv/.ready-$1")" = "$(fingerprint "$2")" ]
}

# Numpy stands in for the compiled loops where they could not be built: the same results, later.
say_if_not_compiled() {
    "$venv/bin/python" -c "import mpc.ring._thin_products, protocols.linalg._held_sums, protocols.functions._wave_sums" 2>/dev/null ||
        say "no C compiler with Python's headers was found: all works, but training takes longer" \
            "(Debian, Ubuntu: sudo apt-get install gcc python3-dev, then: make clean)"
}

mark_ready() {
    fingerprint "$2" >"$venv/.ready-$1"
}

make_venv() {
    works='import sys, pip; sys.exit(sys.version_info < (3, 11))'
    if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c "$works" >/dev/null 2>&1; then
        say "updating $venv"
    else
        python=$(find_python "$preferred")
        say "setting up $venv with $python (once; it may take a minute)"
        "$python" -m venv --clear "$venv" || fail "$python could not make the virtual environment $venv (see above)"
    fi
    rm -f "$venv"/.ready-*
}

cd "$(dirname "$0")/.."
level=${1:-core}
venv=.venv
preferred="python3.13 python3.12 python3.11"

case $level in
    python)
        find_python "$preferred"
        ;;
    core | dev)
        source_file=requirements.lock
        [ "$level" = core ] || source_file=requirements-dev.lock
        if ready "$level" "$source_file"; then exit 0; fi
        make_venv
        # Wheels only: what a hash vouches for is unpacked, and no package's own build script runs.
        pip_install --require-hashes --only-binary=:all: --requirement "$source_file"
        pip_install --no-deps --no-build-isolation --editable .
        say_if_not_compiled
        mark_ready core requirements.lock # the larger lock holds all of the smaller one
        [ "$level" = core ] || mark_ready dev requirements-dev.lock
        ;;
    lowest)
        venv=build/venv-lowest
        preferred="python3.11 python3.12 python3.13"
        source_file=requirements-lowest.txt
        if ready lowest "$source_file"; then exit 0; fi
        make_venv
        pip_install --constraint "$source_file" --editable ".[test,testing,dask,tour,privacy]"
        mark_ready lowest "$source_file"
        ;;
    *)
        fail "usage: sh tools/setup.sh core|dev|lowest|python"
        ;;
esac
