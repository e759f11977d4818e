#!/usr/bin/env bash
# Makes .venv with everything mmpolar needs; with the argument "train" .venv.train, which trains trackers and
# has no compiled operators of MMCV; with "light" .venv.light, which tracks but cannot train: no PyTorch.
# The last two need no compiler. Safe to run again: what is there is kept, and when nothing
# changed it ends at once. Set PYTHON to choose the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

KIND=${1:-full}
VENV=.venv
[[ $KIND != full ]] && VENV=.venv.$KIND
STAMP=$VENV/.mmpolar-ready
LOG=$VENV/setup.log
LOCK=requirements/lock.txt
STEPS=5
[[ $KIND == light ]] && STEPS=1
[[ $KIND == train ]] && STEPS=3
HEARTBEAT_SECONDS=30

main() {
    local key
    key=$(requirements_key)
    if [[ -f $STAMP && $(<"$STAMP") == "$key" ]] && usable_python "$VENV/bin/python"; then
        return
    fi
    announce
    exec 3>&2 # a step's own stderr goes into the log
    trap 'echo "setup_env: interrupted; run the same command again to go on." >&3; exit 130' INT
    create_venv
    : >"$LOG"
    if [[ $KIND == light ]]; then
        step 1 'mmpolar and ten packages of prebuilt files' install_light
    elif [[ $KIND == train ]]; then
        step 1 'PyTorch (a large download)' install_torch
        step 2 'OpenMMLab and the other packages' install_train
        step 3 'mmpolar itself, and a check that it imports' install_mmpolar_train
    else
        step 1 'build tools' install -r requirements/build.txt
        step 2 'PyTorch (a large download)' install torch
        step 3 'MMCV, compiled from source (the long one)' install_mmcv
        step 4 'OpenMMLab and the other packages' install_packages
        step 5 'mmpolar itself, and a check that all of it imports' install_mmpolar
    fi
    echo "$key" >"$STAMP"
    echo "Ready: $VENV (took $(minutes $SECONDS))."
}

# What must be unchanged for a finished set-up to be good: the path and the files that define it.
requirements_key() {
    { pwd && cat requirements/*.txt setup.py tools/setup_env.sh; } | cksum
}

announce() {
    if [[ $KIND == light ]]; then
        echo "Setting up $VENV: no PyTorch, no compiler; half a minute the first time. Details: $LOG"
        return
    fi
    if [[ $KIND == train ]]; then
        echo "Setting up $VENV: PyTorch and OpenMMLab, no compiler; some minutes the first time. Details: $LOG"
        return
    fi
    cat <<TEXT
Setting up $VENV. The first time this takes about 10-15 minutes on two cores, nearly all of it in
step 3: MMCV is published as source only, so its operators are compiled on this machine (a C++
compiler is needed). pip keeps the result, so the next set-up takes two or three minutes.
It is safe to interrupt: run the same command again to go on. Details: $LOG
TEXT
}

create_venv() {
    if [[ -e $VENV ]] && ! usable_python "$VENV/bin/python"; then
        [[ -x $VENV/bin/python ]] && die "$VENV was made with an unsuitable Python ($(version_of "$VENV/bin/python")); remove it and run again: rm -r $VENV"
        rm -rf "$VENV" # left unfinished by an interrupted run
    fi
    if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        local python
        python=$(find_python)
        echo "Using $python ($(version_of "$python"))."
        "$python" -m venv "$VENV"
    fi
    export PATH="$PWD/$VENV/bin:$PATH"
}

# The interpreter given as PYTHON, or the first of the usual names that will do.
find_python() {
    if [[ -n ${PYTHON:-} ]]; then
        usable_python "$PYTHON" || die "PYTHON=$PYTHON is $(version_of "$PYTHON"), but mmpolar needs Python 3.10, 3.11 or 3.12 with the venv module; give another one, for example: make env PYTHON=python3.11"
        echo "$PYTHON"
        return
    fi
    local name
    for name in python3.11 python3 python3.12 python3.10 python; do
        if usable_python "$name"; then
            echo "$name"
            return
        fi
    done
    die "no Python 3.10, 3.11 or 3.12 with the venv module found (python3 is $(version_of python3)); install one (on Debian and Ubuntu: python3 and python3-venv) or name it: make env PYTHON=/path/to/python3.11"
}

usable_python() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' \
        >/dev/null 2>&1
}

version_of() {
    "$1" --version 2>/dev/null || echo 'not a Python that runs'
}

install() {
    python -m pip install --disable-pip-version-check --no-input --progress-bar off -c "$LOCK" "$@"
}

install_mmcv() {
    export MAX_JOBS=${MAX_JOBS:-$(getconf _NPROCESSORS_ONLN)} CFLAGS=${CFLAGS:--O1 -g0}
    install -v --no-build-isolation mmcv && mmcv_works && return
    echo 'This mmcv was built for another PyTorch; compiling it again.'
    install -v --no-build-isolation --no-deps --no-cache-dir --force-reinstall mmcv && mmcv_works
}

mmcv_works() {
    python -c 'import mmcv.ops'
}

install_packages() {
    install -r requirements/mminstall.txt -r requirements/train.txt -r requirements/export.txt \
        -r requirements/studio.txt -r requirements/optional.txt -r requirements/ray.txt \
        -r requirements/tests.txt &&
        install --no-deps mmtrack mmcls openmim
}

install_mmpolar() {
    install --no-build-isolation --no-deps -e . &&
        python -c 'import mmcv.ops, mmdet.models, mmpolar.registry'
}

install_torch() {
    install -r requirements/build.txt && install torch
}

# mmcv-lite is MMCV without its operators: trackers call none.
install_train() {
    install mmcv-lite && install -r requirements/train.txt -r requirements/export.txt mmengine mmdet
}

install_mmpolar_train() {
    install --no-build-isolation --no-deps -e . &&
        python -c 'import mmpolar.registry, mmdet.models, mmpolar.models.trackers'
}

# The pinned packages are named one by one, and compiled when they are imported: without a search for
# what fits, and without modules that nobody imports, pip takes a fraction of the time.
install_light() {
    install --no-deps --no-compile -r requirements/demo.txt &&
        install --no-build-isolation --no-deps -e . &&
        python -c 'import mmpolar.runtime, mmpolar.datasets.synthetic, av, PIL'
}

# step NUMBER TITLE COMMAND...: runs the command into the log, with a sign of life on the screen.
step() {
    local number=$1 title=$2 beat status=0
    shift 2
    echo "[$number/$STEPS] $title"
    heartbeat 3>&- &
    beat=$!
    trap 'kill $beat 2>/dev/null || true' EXIT
    echo "== [$number/$STEPS] $title" >>"$LOG"
    "$@" >>"$LOG" 2>&1 || status=$?
    kill "$beat" 2>/dev/null || true
    wait "$beat" 2>/dev/null || true
    trap - EXIT
    if ((status != 0)); then
        tail -n 25 "$LOG" >&2
        die "step $number ($title) failed; the lines above are the end of $LOG. Once the cause is gone, run the same command again"
    fi
}

heartbeat() {
    local compiled
    while sleep "$HEARTBEAT_SECONDS" >/dev/null 2>&1; do
        compiled=$(grep -oE '^ *\[[0-9]+/[0-9]+\] ' "$LOG" | tail -n 1 | tr -d ' []' || true)
        echo "      still at it after $(minutes $SECONDS)${compiled:+, file $compiled compiled}"
    done
}

minutes() {
    printf '%d min %02d s' $(($1 / 60)) $(($1 % 60))
}

die() {
    echo "setup_env: $1." >&2
    exit 1
}

main
