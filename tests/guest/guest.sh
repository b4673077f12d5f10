# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Sourced: Linux guests in QEMU, for tests, the demo and people.
#
#   GUEST_DIR=$(mktemp -d)                    everything about the guests is kept there
#   guest_start NAME [QEMU ARGUMENT...]       boots a guest; returns when it takes commands
#   guest_run NAME COMMAND...                 runs a shell command in it: its output, its exit status
#   guest_reboot NAME                         resets it from within; returns when it takes commands again
#   guest_await NAME                          after it was reset from without: returns when it takes commands again
#   guest_console NAME                        what its console has shown
#   guest_stop NAME, guest_stop_all           switches guests off and removes their files (for traps)
#
# The arguments of guest_start are devices only, such as `iovctl server args NAME` prints: machine, memory and serial ports are set
# here. Memory is a shared memfd, as DMA by file descriptor needs. GUEST_TIMEOUT (seconds, default 120) bounds a boot and a command;
# GUEST_MEM and GUEST_CPUS size a guest; GUEST_ACCEL is QEMU's accelerator; GUEST_APPEND is added to the kernel's command line; QEMU,
# GUEST_KERNEL and GUEST_INITRD replace the fetched ones. Functions may be called from processes other than the one that started the
# guest; calls for one guest take turns.

_guest_scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../scripts" && pwd)

_guest_say() {
	printf 'guest %s: %s\n' "$1" "$2" >&2
}

# The process is the one we started, and not yet a zombie: a number alone might belong to another by now.
_guest_alive() {
	local pid
	pid=$(cat "$GUEST_DIR/$1/pid" 2>/dev/null) &&
		grep -qazF "$GUEST_DIR/$1/agent" "/proc/$pid/cmdline" 2>/dev/null
}

guest_console() {
	tr -d '\r' <"$GUEST_DIR/$1/console"
}

_guest_tail() {
	_guest_say "$1" "$2; the end of its console and of QEMU's messages:"
	{ guest_console "$1" | tail -n 30 && tail -n 5 "$GUEST_DIR/$1/qemu.log"; } | sed 's/^/    /' >&2
}

# Runs a function with the guest's two FIFOs as descriptors 8 (in) and 9 (out), one caller at a time. They are opened for both
# directions: so neither open nor read can hang on a QEMU that has gone.
_guest_with_agent() {
	local name=$1 deadline=$((SECONDS + ${GUEST_TIMEOUT:-120}))
	shift
	if [[ ! -d $GUEST_DIR/$name ]]; then
		_guest_say "$name" "not started"
		return 1
	fi
	(
		if ! flock -w "${GUEST_TIMEOUT:-120}" 7; then
			_guest_say "$name" "another command has kept it busy for ${GUEST_TIMEOUT:-120} s"
			return 124
		fi
		"$@"
	) 7>"$GUEST_DIR/$name/lock" 8<>"$GUEST_DIR/$name/agent.in" 9<>"$GUEST_DIR/$name/agent.out"
}

# Reads one line from the agent into `line`. 1: none came in time or the guest is dead, which has been said.
_guest_line() {
	local name=$1 waiting=$2 part
	line=
	while ! IFS= read -r -t 1 -u 9 part; do
		line+=$part
		if ! _guest_alive "$name"; then
			_guest_tail "$name" "QEMU has ended while $waiting"
			return 1
		elif grep -qa 'Kernel panic' "$GUEST_DIR/$name/console"; then
			_guest_tail "$name" "kernel panic while $waiting"
			return 1
		elif ((SECONDS >= deadline)); then
			_guest_tail "$name" "no answer in ${GUEST_TIMEOUT:-120} s while $waiting"
			return 1
		fi
	done
	line+=$part
}

_guest_await_agent() {
	local name=$1 line
	while _guest_line "$name" "booting" || return 1; do
		[[ $line != "agent ready "* ]] || return 0
	done
}

guest_start() {
	local name=$1 dir=$GUEST_DIR/$1 qemu=${QEMU-} kernel=${GUEST_KERNEL-} initrd=${GUEST_INITRD-} mem=${GUEST_MEM:-384}M
	local -a images
	shift
	qemu=$("$_guest_scripts/fetch-qemu.sh") || return
	if [[ ! $kernel || ! $initrd ]]; then
		mapfile -t images < <("$_guest_scripts/fetch-guest.sh")
		[[ ${#images[@]} -eq 2 ]] || return 1
		kernel=${images[0]} initrd=${images[1]}
	fi
	if ! mkdir "$dir" 2>/dev/null; then
		_guest_say "$name" "is running already, or $GUEST_DIR is no folder"
		return 1
	fi
	mkfifo -m 600 "$dir/agent.in" "$dir/agent.out"
	: >"$dir/console"
	# no_timer_check: the kernel gives its first ticks a moment by the wall clock, which an emulator on a busy machine may miss.
	# Descriptor 3 is closed because bats waits for everyone who holds it.
	"$qemu" -name "$name" -nodefaults -no-user-config -display none \
		-M q35,memory-backend=mem -m "$mem" -object "memory-backend-memfd,id=mem,size=$mem,share=on" \
		-accel "${GUEST_ACCEL:-tcg,thread=multi}" -cpu "${GUEST_CPU:-qemu64}" -smp "${GUEST_CPUS:-2}" \
		-kernel "$kernel" -initrd "$initrd" -append "console=ttyS0 quiet panic=0 cryptomgr.notests no_timer_check guest=$name ${GUEST_APPEND-}" \
		-serial "file:$dir/console" -serial "pipe:$dir/agent" \
		"$@" </dev/null >"$dir/qemu.log" 2>&1 3>&- &
	echo $! >"$dir/pid"
	_guest_with_agent "$name" _guest_await_agent "$name" && return
	guest_stop "$name"
	return 1
}

_guest_command() {
	local name=$1 token line status encoded printing=
	shift
	token=run.$BASHPID.$RANDOM$RANDOM
	encoded=$(base64 -w 0 <<<"$*")
	if ((${#encoded} > 4000)); then
		_guest_say "$name" "a command may have 3000 bytes, this one has ${#encoded} in base64"
		return 1
	fi
	_guest_alive "$name" && printf '%s %s\n' "$token" "$encoded" >&8
	while _guest_line "$name" "running: $*" || return 124; do
		if [[ $line == "$token begin" ]]; then
			break
		elif [[ $line == "agent ready "* ]]; then
			_guest_tail "$name" "has rebooted before: $*"
			return 125
		fi
	done
	# The end marker stands on a line of its own, for which the agent puts one newline before it: so each line's newline is
	# printed only when another line follows.
	while _guest_line "$name" "running: $*" || return 124; do
		if [[ $line == "$token end "* ]]; then
			status=${line##* }
			return "$status"
		elif [[ $line == "agent ready "* ]]; then
			_guest_tail "$name" "has rebooted during: $*"
			return 125
		fi
		printf '%s%s' "$printing" "$line"
		printing=$'\n'
	done
}

guest_run() {
	local name=$1
	shift
	_guest_with_agent "$name" _guest_command "$name" "$@"
}

_guest_reset() {
	local name=$1
	printf 'reset %s\n' "$(base64 -w 0 <<<'sync; reboot -f')" >&8
	_guest_await_agent "$name"
}

guest_await() {
	_guest_with_agent "$1" _guest_await_agent "$1"
}

guest_reboot() {
	_guest_with_agent "$1" _guest_reset "$1"
}

guest_stop() {
	local name=$1 dir=$GUEST_DIR/$1 pid tries signal
	[[ -d $dir ]] || return 0
	pid=$(cat "$dir/pid" 2>/dev/null) || pid=
	# Ask, then insist: the guest first, so that drivers shut their devices down as on a real server.
	for signal in guest TERM KILL; do
		_guest_alive "$name" || break
		if [[ $signal == guest ]]; then
			printf 'stop %s\n' "$(base64 -w 0 <<<'sync; poweroff -f')" 1<>"$dir/agent.in"
		else
			kill -s "$signal" "$pid"
		fi
		for ((tries = 0; tries < 100; tries++)); do
			_guest_alive "$name" || break
			sleep 0.05
		done
	done
	# Reaps it, where this process is its parent.
	[[ ! $pid ]] || wait "$pid" 2>/dev/null || :
	rm -rf "$dir"
}

guest_stop_all() {
	local fifo dir
	for fifo in "$GUEST_DIR"/*/agent.in; do
		dir=${fifo%/agent.in}
		[[ ! -e $fifo ]] || guest_stop "${dir##*/}"
	done
}
