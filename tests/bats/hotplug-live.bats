#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Plugging into running servers, with hypervisors that are made up: fake-qmp.py.

load common

setup() {
        export UNPLUG_TIMEOUT=1
        HOSTS=()
        appliance_setup
        mkdir web db
        cat > two.yaml << YAML
version: 1
kind: topology
name: two
servers:
  web01: {link: 0, host: {qemu: $T/web/qmp}}
  db01: {link: 1, host: {qemu: $T/db/qmp}}
volumes:
  web-boot: {adapter: ssd0, size: 1GiB}
vadapters:
  web-disk:
    adapter: ssd0
    namespaces: [{volume: web-boot}]
YAML
        iovprov apply -q two.yaml
}

teardown() {
        local pid
        for pid in "${HOSTS[@]}"; do
                kill "$pid" 2> /dev/null || :
        done
        appliance_teardown
}

# host DIR ARGS...: starts a hypervisor; HOST_PID is its process.
host() {
        : > "$1/log"
        python3 "$IOV_SOURCE/tests/bats/fake-qmp.py" "$@" 2> "$1/err" 3>&- &
        HOST_PID=$!
        HOSTS+=("$HOST_PID")
        until_true 10 grep -q ready "$1/log"
}

# field KIND NAME FIELD
field() {
        iovctl "$1" show "$2" -o json | jq -r ".${1}s[0].$3"
}

# has KIND NAME FIELD VALUE
has() {
        local got
        got=$(field "$1" "$2" "$3")
        [[ $got == "$4" ]] || {
                echo "$2: $3 is $got, not $4"
                return 1
        }
}

# away_because REGEX: so the server's hypervisor is.
away_because() {
        [[ $(field server web01 host_reason) =~ $1 ]]
}

ready() {
        until_true 10 has server "$1" host_state ready
}

@test "a guest that runs gains and loses a vAdapter" {
        host web
        ready web01
        has server web01 host_version 11.1.3
        iovctl vadapter attach web-disk web01 2
        has vadapter web-disk state connected
        iovctl vadapter detach web-disk
        has vadapter web-disk state detached
        [ "$(grep va- web/log)" = "device_add va-web-disk iov2
device_del va-web-disk
gone va-web-disk" ]
        [ ! -e "$T/run/servers/web01/2.sock" ]
        # once more: nothing to do, and no error
        iovctl vadapter detach web-disk
        has vadapter web-disk state detached
}

@test "a server that is off is provisioned, and gets it when it comes" {
        iovctl vadapter attach web-disk web01 0
        has vadapter web-disk state attached
        has server web01 host_state away
        host web
        until_true 10 has vadapter web-disk state connected
        grep -q "device_add va-web-disk iov0" web/log
}

@test "--wait waits for a driver where the server runs, and for nobody where it is off" {
        iovctl vadapter attach --wait --timeout 60 web-disk web01 0
        has vadapter web-disk state attached
        host web
        until_true 10 has vadapter web-disk state connected
        iovctl vadapter detach web-disk
        iovctl vadapter attach --wait --timeout 60 web-disk web01 0
        has vadapter web-disk state connected
}

@test "--wait does not wait behind a link that is down" {
        host web
        ready web01
        iovctl link down web01
        iovctl vadapter attach --wait --timeout 60 web-disk web01 0
        [[ $(field vadapter web-disk state) == attached ]]
        iovctl link up web01
        until_true 10 has vadapter web-disk state connected
}

@test "what was plugged in before the guest started is recognized" {
        iovctl vadapter attach web-disk web01 0
        iovctl server args web01 -o json | jq -r '.args[]' > cable
        grep -qxF "unix:$T/web/qmp,server=on,wait=off" cable
        host web --cold "0=va-web-disk=$T/run/servers/web01/0.sock"
        ready web01
        until_true 10 has vadapter web-disk state connected
        run grep device_add web/log
        [ "$status" -eq 1 ]
        iovctl vadapter detach web-disk
        grep -q "device_del va-web-disk" web/log
        has vadapter web-disk state detached
}

@test "a move: out of one guest before it is in the other" {
        host web
        host db
        ready web01
        ready db01
        iovctl vadapter attach web-disk web01 0
        iovctl vadapter move web-disk --to db01
        has vadapter web-disk state connected
        has vadapter web-disk server db01
        grep -q "gone va-web-disk" web/log
        grep -q "device_add va-web-disk iov0" db/log
        iovctl vadapter move web-disk web01 3
        has vadapter web-disk state connected
        has vadapter web-disk slot 3
        fails 2 iovctl vadapter move web-disk
        says "to which server"
}

@test "profiles are swapped between two running guests in one transaction" {
        cat >> two.yaml << YAML
  db-disk: {adapter: ssd1}
profiles:
  blue: {slots: {0: web-disk}}
  green: {slots: {0: db-disk}}
YAML
        sed 's/^  web01: {/&profile: blue, /; s/^  db01: {/&profile: green, /' two.yaml > before.yaml
        sed 's/^  web01: {/&profile: green, /; s/^  db01: {/&profile: blue, /' two.yaml > after.yaml
        host web
        host db
        ready web01
        ready db01
        iovprov apply -q before.yaml
        has vadapter web-disk server web01
        has vadapter web-disk state connected
        iovprov apply -q after.yaml
        for disk in web-disk db-disk; do
                has vadapter $disk state connected
        done
        has vadapter web-disk server db01
        has vadapter db-disk server web01
        [ "$(grep -c device_add web/log)" -eq 2 ]
        [ "$(grep -c device_add db/log)" -eq 2 ]
}

@test "a guest that does not let go: failed, with the reason; asked again it may" {
        host web
        ready web01
        iovctl vadapter attach web-disk web01 0
        echo stubborn > web/mode
        refuses 6 iovctl vadapter detach web-disk
        says "web-disk: the guest has not let go of it within 1 s"
        has vadapter web-disk state failed
        [[ $(field vadapter web-disk reason) == "the guest has not let go"* ]]
        # it is still the guest's: nobody else gets it, and it is not removed
        fails 1 iovctl vadapter remove --yes web-disk
        says "still has it"
        : > web/mode
        iovctl vadapter detach web-disk
        has vadapter web-disk state detached
        has vadapter web-disk reason null
}

@test "a guest that refuses" {
        host web
        ready web01
        iovctl vadapter attach web-disk web01 0
        echo refuses > web/mode
        refuses 6 iovctl vadapter detach web-disk
        says "the guest refuses to let go of it"
        : > web/mode
        # wanted again, where it still is
        iovctl vadapter attach web-disk web01 0
        has vadapter web-disk state connected
        [ "$(grep -c device_add web/log)" -eq 1 ]
}

@test "--force is a surprise removal" {
        host web
        host db
        ready web01
        ready db01
        iovctl vadapter attach web-disk web01 0
        echo stubborn > web/mode
        refuses 6 iovctl vadapter move web-disk --to db01
        grep -q "device_del" web/log
        iovctl vadapter move --force web-disk --to db01
        has vadapter web-disk state connected
        has vadapter web-disk server db01
        until_true 5 grep -q "lost va-web-disk" web/log
}

@test "a change of mind while a move is under way" {
        host web
        host db
        ready web01
        ready db01
        iovctl vadapter attach web-disk web01 0
        echo stubborn > web/mode
        iovctl vadapter move --timeout 0 web-disk --to db01
        has vadapter web-disk state unplugging
        refuses 1 iovctl vadapter attach web-disk web01 1
        says "attached to db01"
        # back to where it is: when the time-out has passed it is as if nothing had been asked
        iovctl vadapter move web-disk --to web01
        has vadapter web-disk state connected
        has vadapter web-disk server web01
        run grep device_add db/log
        [ "$status" -eq 1 ]
}

@test "a namespace moves between servers that run" {
        host web
        host db
        ready web01
        ready db01
        iovctl vadapter attach web-disk web01 0
        iovctl vadapter add db-disk ssd0
        iovctl vadapter attach db-disk db01 0
        # No device goes: both servers are told of their namespaces.
        iovctl namespace remove --yes web-disk/1
        iovctl namespace add db-disk/1 web-boot
        until_true 5 has vadapter db-disk state connected
        has vadapter web-disk state connected
        [ "$(grep -c device_add db/log)" -eq 1 ]
        [ "$(grep -c device_del web/log)" -eq 0 ]
}

@test "a medium waits for its holder" {
        host web
        host db
        ready web01
        ready db01
        iovctl vadapter attach web-disk web01 0
        iovctl vadapter add db-disk ssd0
        echo stubborn > web/mode
        # The one guest does not let go of its device, nor so of what is shown by it.
        iovctl vadapter detach --timeout 0 web-disk || :
        until_true 5 has vadapter web-disk state failed
        iovctl namespace remove --yes web-disk/1
        iovctl namespace add db-disk/1 web-boot
        iovctl vadapter attach --timeout 0 db-disk db01 0 || :
        until_true 5 has vadapter db-disk state plugging
        has vadapter db-disk reason "waits until server web01 has let go of web-disk"
        [ "$(grep -c device_add db/log)" -eq 0 ]
        : > web/mode
        iovctl vadapter attach web-disk web01 0
        until_true 5 has vadapter db-disk state connected
        until_true 5 has vadapter web-disk state connected
        [ "$(grep -c device_add db/log)" -eq 1 ]
}

@test "MSI-X is not unplugged from a QEMU that would abort, and auto avoids it" {
        host web
        ready web01
        iovctl vadapter attach web-disk web01 0
        has vadapter web-disk interrupts auto
        has vadapter web-disk interrupts_used msi
        iovctl vadapter detach web-disk
        iovctl vadapter set web-disk interrupts=msix
        iovctl vadapter attach web-disk web01 0
        has vadapter web-disk interrupts_used msix
        refuses 1 iovctl vadapter detach web-disk
        says "its QEMU 11.1.3 would abort if a device with MSI-X were unplugged"
        has vadapter web-disk state connected
        [ "$(grep -c device_del web/log)" -eq 1 ]
        # by force its connection ends, but the hypervisor is not asked
        iovctl vadapter detach --force web-disk
        has vadapter web-disk state detached
        until_true 5 grep -q "lost va-web-disk" web/log
        [ "$(grep -c device_del web/log)" -eq 1 ]
        # what is left in the port is in the way until the guest is restarted
        refuses 6 iovctl vadapter attach web-disk web01 0
        says "shut the server down first"
}

@test "a QEMU without the fault: MSI-X, in and out" {
        host web --version 12.0.0
        ready web01
        iovctl vadapter attach web-disk web01 0
        has vadapter web-disk interrupts_used msix
        iovctl vadapter detach web-disk
        has vadapter web-disk state detached
}

@test "a guest without free root ports" {
        host web --ports 1
        ready web01
        refuses 6 iovctl vadapter attach web-disk web01 1
        says "the guest has no root port iov1"
        has vadapter web-disk state failed
        iovctl vadapter move web-disk web01 0
        has vadapter web-disk state connected
        refuses 6 iovctl vadapter move web-disk web01 1
        says "no root port"
        iovctl vadapter detach web-disk
        has vadapter web-disk state detached
}

@test "a hypervisor that cannot plug it says why, without its control characters; asked again it can" {
        host web
        ready web01
        echo cannot-plug > web/mode
        refuses 6 iovctl vadapter attach web-disk web01 0
        says "the hypervisor cannot plug it: the guest?[31m is full"
        : > web/mode
        iovctl vadapter attach web-disk web01 0
        has vadapter web-disk state connected
}

@test "a hypervisor that dies, while it unplugs too" {
        host web
        ready web01
        iovctl vadapter attach web-disk web01 0
        echo stubborn > web/mode
        iovctl vadapter detach --timeout 0 web-disk
        has vadapter web-disk state unplugging
        kill -9 "$HOST_PID"
        until_true 5 has vadapter web-disk state detached
        until_true 5 has server web01 host_state away
        iovctl vadapter attach web-disk web01 0
        : > web/mode
        host web
        until_true 10 has vadapter web-disk state connected
}

@test "a hypervisor that hangs: the step ends all the same" {
        host web
        ready web01
        echo mute > web/mode
        refuses 6 iovctl vadapter attach --timeout 1 web-disk web01 0
        says "still plugging after 1 s"
        # It is tried once more, since it could have been started anew.
        until_true 60 has vadapter web-disk state failed
        has vadapter web-disk reason "the hypervisor has ended or hung each time it was to plug it"
        [ "$(grep -c device_add web/log)" -eq 2 ]
        : > web/mode
        iovctl vadapter attach web-disk web01 0
        has vadapter web-disk state connected
}

@test "a socket that is not QEMU's" {
        local mode
        for mode in http garbage endless deep close list wrong-id; do
                echo $mode > web/mode
                host web
                until_true 10 grep -q client web/log
                until_true 10 away_because 'greet|speak|more than|closes|asked'
                has server web01 host_state away
                echo "$mode: $(field server web01 host_reason)"
                kill "$HOST_PID"
                wait "$HOST_PID" || :
                until_true 10 away_because refused
        done
        # all that time the appliance works
        iovctl vadapter attach web-disk web01 0
        has vadapter web-disk state attached
}

@test "a socket that says nothing" {
        echo silent > web/mode
        host web
        until_true 20 away_because 'does not greet within 5 s'
}

@test "a worker that dies: the guest does not notice; with its escrow: the guest's dead device is replaced" {
        local worker
        host web
        ready web01
        iovctl vadapter attach web-disk web01 0
        worker=$(worker_of web01)
        replaced() { [[ $(worker_of web01) != "$worker" ]]; }
        kill -9 "$worker"
        until_true 10 replaced
        has vadapter web-disk state connected
        kill -9 "$(ps -o ppid= -p "$(worker_of web01)" | tr -d ' ')"
        until_true 10 grep -q "lost va-web-disk" web/log
        until_true 10 has vadapter web-disk state connected
        [ "$(grep -c device_add web/log)" -eq 2 ]
        [ "$(grep -c device_del web/log)" -eq 1 ]
}

@test "a host that is taken out of the topology is needed until its guest has nothing of ours" {
        host web
        ready web01
        iovctl vadapter attach web-disk web01 0
        iovctl server set web01 qemu=
        has vadapter web-disk state connected
        # It is still asked, as long as its guest has something of ours.
        iovctl vadapter detach web-disk
        grep -q device_del web/log
        until_true 5 has server web01 host_state none
}

@test "a server's name is not free while its guest still has something" {
        host web
        ready web01
        iovctl vadapter attach web-disk web01 0
        echo stubborn > web/mode
        iovctl vadapter detach --timeout 0 web-disk
        refuses 1 iovctl server remove --yes web01
        says "its guest still has a vAdapter"
        until_true 5 has vadapter web-disk state failed
        refuses 1 iovctl server remove --yes web01
        : > web/mode
        iovctl vadapter detach web-disk
        iovctl server remove --yes web01
        # The next of that name is another machine.
        host db
        iovctl server set db01 qemu=
        iovctl server add web01 5
        iovctl server set web01 qemu="$T/db/qmp"
        ready web01
        iovctl vadapter attach web-disk web01 0
        has vadapter web-disk state connected
        grep -q "device_add va-web-disk iov0" db/log
}

@test "16 vAdapters by one apply" {
        local n
        for n in {0..15}; do
                echo "  d$n: {adapter: ssd0, attach: {server: web01, slot: $n}}" >> two.yaml
        done
        host web --ports 16
        ready web01
        iovprov apply -q two.yaml
        [ "$(iovctl vadapter list --filter state=connected -o name -n | wc -l)" -eq 16 ]
        [ "$(grep -c device_add web/log)" -eq 16 ]
}
