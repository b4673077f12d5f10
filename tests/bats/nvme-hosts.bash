# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Servers that drive NVMe vAdapters without a guest, and do as they are told (bench/reserve.c).

HOST_PID=

# hosts_start [SERVER/SLOT.sock...]: that drive these.
hosts_start() {
        local line

        (($#)) || set -- a/0.sock b/0.sock
        [[ -p in ]] || mkfifo in out
        "$IOV_BUILD/bench/nvme-host" reserve "${@/#/run/servers/}" < in > out 2> host.log 3>&- &
        HOST_PID=$!
        exec 8> in 9< out
        read -r -t 20 line <&9 || { cat host.log; return 1; }
        [[ $line == ready ]]
}

hosts_stop() {
        if [[ -n $HOST_PID ]]; then
                exec 8>&- 9<&-
                wait "$HOST_PID"
                HOST_PID=
        fi
}

# One that has ended by itself is not to be stopped.
hosts_forget() {
        HOST_PID=
}

# gets ANSWER SERVER WORD...: what a server gets for a command.
gets() {
        local line

        echo "${*:2}" >&8
        read -r -t 20 line <&9 || { cat host.log; return 1; }
        # shellcheck disable=SC2053 # a pattern
        [[ $line == $1 ]] || { echo "$*: $line"; return 1; }
}
