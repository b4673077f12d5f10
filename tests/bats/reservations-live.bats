#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A volume that two servers may write to, and NVMe reservations between them. Conflict is status 083.

load common
load nvme-hosts

setup() {
        appliance_setup
        cat > shared.yaml <<'YAML'
version: 1
kind: topology
servers:
  a: {link: 0}
  b: {link: 1}
volumes:
  v: {adapter: ssd0, size: 64MiB, shared: true}
vadapters:
  da: {adapter: ssd0, attach: {server: a, slot: 0}, namespaces: [{volume: v}]}
  db: {adapter: ssd0, attach: {server: b, slot: 0}, namespaces: [{volume: v}]}
YAML
        iovprov apply -q shared.yaml
}

teardown() {
        hosts_stop
        appliance_teardown
}

# Both have said who they are and have registered; a holds it for writing.
reserved() {
        gets 000 0 host a
        gets 000 1 host b
        gets 000 0 register 0 0 aa
        gets 000 1 register 0 0 bb
        gets 000 0 acquire 0 1 aa 0
}

@test "both see one namespace that is shared" {
        local first line

        hosts_start
        echo '0 identify' >&8
        read -r -t 20 first <&9
        [[ $first == "000 nmic 1 rescap ff nguid "*" cmic 2 cntlid "* ]]
        echo '1 identify' >&8
        read -r -t 20 line <&9
        [[ ${line%cntlid*} == "${first%cntlid*}" && ${line##* } != "${first##* }" ]]
}

@test "who holds it writes, the other does not, until it is released" {
        hosts_start
        gets 000 0 write 1
        gets 000 1 write 1
        gets 083 0 acquire 0 1 aa 0
        reserved
        gets 000 0 write 1
        gets 083 1 write 1
        gets 000 1 read 1
        gets '000 gen 2 type 1 ptpl 0 \[\*a aa\] \[b bb\]' 1 report
        is '[["a","aa",true],["b","bb",false]]' \
                json '[.reservations[]|[.host[1:2],.key[-2:],.holder]]' iovctl reservation list -o json
        is '"write-exclusive"' json '.reservations[0].type' iovctl reservation show v -o json
        gets 083 1 acquire 0 1 bb 0
        gets 000 0 release 0 1 aa
        gets 000 1 write 1
        gets '000 count 0 type 0 more 0' 1 log
}

@test "preempt: the victim writes no more, and hears of it" {
        hosts_start
        reserved
        gets 000 1 acquire 1 3 bb aa
        gets 083 0 write 1
        gets 000 1 write 1
        gets '000 gen 3 type 3 ptpl 0 \[\*b bb\]' 0 report
        gets '000 count 1 type 1 more 0' 0 log
        gets '000 count 0 type 0 more 0' 0 log
        gets 000 0 register 0 0 aa
        gets 000 0 write 1
        gets 000 1 release 1 0 bb
        gets '000 count 2 type 3 more 0' 0 log
        gets '000 gen 5 type 0 ptpl 0' 0 report
}

# What was let through before is over when the preempt is acknowledged, however late it is: what is written after it stays.
@test "no write comes after a preempt: late on its way to the medium" {
        hosts_start
        reserved
        iovctl inject latency da 300ms
        gets 000 0 burst 11
        gets 000 1 acquire 1 1 bb aa
        gets '000 same' 1 fill 22
        gets '000 good 16 conflict 0 aborted 0' 0 collect
        gets '000 same' 1 check 22
        gets 083 0 fill 33
}

@test "no write comes after a preempt: waiting for its qos, or let in by another worker" {
        iovctl qos add slow write_iops=5
        iovctl vadapter set da qos=slow
        hosts_start
        reserved
        gets 000 0 burst 11
        gets 000 1 acquire 1 1 bb aa
        gets '000 same' 1 fill 22
        gets '000 good * aborted 0' 0 collect
        gets '000 same' 1 check 22
        gets 000 0 register 0 0 aa
        gets 000 0 acquire 1 1 aa bb
        gets 000 0 burst 33
        kill -9 "$(worker_of a)"
        gets 000 1 register 0 0 bb
        gets 000 1 acquire 1 1 bb aa
        gets '000 same' 1 fill 44
        gets '000 good * aborted 0' 0 collect
        gets '000 same' 1 check 44
}

@test "preempt and abort: the victim's commands have ended, and with their own status" {
        hosts_start
        reserved
        iovctl inject latency da 300ms
        gets 000 0 burst 11
        gets 000 1 acquire 2 1 bb aa
        gets '000 same' 1 fill 22
        gets '000 good 0 conflict 0 aborted 16' 0 collect
        gets '000 same' 1 check 22
}

@test "a reset keeps a registration; one without a host identifier it ends" {
        hosts_start
        reserved
        gets 000 0 reset
        gets 083 0 write 1
        gets 000 0 host a
        gets 000 0 write 1
        gets 000 0 release 1 0 aa
        gets 000 1 reset
        gets 000 1 register 0 0 cc
        gets 000 1 acquire 0 2 cc 0
        gets 083 0 read 1
        gets 000 1 reset
        # The reset is over before the appliance has heard of it.
        until_true 20 gets 000 0 read 1
}

@test "unplugged and moved, a registration stays; gone with its volume" {
        hosts_start
        reserved
        hosts_stop
        iovctl vadapter detach da
        is '[["da","aa"],["db","bb"]]' json '[.reservations[]|[.vadapter,.key[-2:]]]' iovctl reservation list -o json
        iovctl vadapter attach da a
        hosts_start
        gets 083 1 write 1
        gets 000 0 host a
        gets 000 0 write 1
        hosts_stop
        iovctl vadapter detach db
        iovctl namespace remove db/1 --yes
        iovctl vadapter detach da
        iovctl namespace remove da/1 --yes
        iovctl volume remove v --yes
        is '[]' json '.reservations' iovctl reservation list -o json
}

@test "killed: workers and control processes lose nothing, and a command is carried out once" {
        local i

        hosts_start
        reserved
        for ((i = 0; i < 5; i++)); do
                kill -9 "$(worker_of a)"
                gets 083 1 write 1
                gets 000 0 register 2 aa aa
                kill -9 "$(worker_of b)"
                gets 000 1 register 2 bb bb
                kill -9 "$(control_pid)"
                gets 000 0 register 2 aa aa
                gets 083 1 write 1
                gets 000 0 write 1
        done
        gets '000 gen 17 type 1 ptpl 0 \[\*a aa\] \[b bb\]' 1 report
}

@test "persists through power loss where that was asked for" {
        hosts_start
        reserved
        # CPTPL 11b
        gets 000 0 register 2 aa aa c0000000
        gets '000 gen 3 type 1 ptpl 1 \[\*a aa\] \[b bb\]' 1 report
        hosts_stop
        iovd_stop
        iovd_start
        hosts_start
        gets 083 1 write 1
        gets 000 0 host a
        gets 000 0 write 1
        gets '000 gen 3 type 1 ptpl 1 \[\*a aa\] \[b bb\]' 1 report
        gets 000 0 register 2 aa aa 80000000
        hosts_stop
        iovd_stop
        iovd_start
        hosts_start
        gets '000 gen 0 type 0 ptpl 0' 0 report
}

@test "a file that cannot be read: nobody gets at the volume until an operator says so" {
        hosts_start
        reserved
        gets 000 0 register 2 aa aa c0000000
        hosts_stop
        iovd_stop
        truncate -s 100 state/reservations/*
        iovd_start
        iovctl event list | grep -q "reservations cannot be read"
        hosts_start
        gets 082 0 write 1
        gets 082 1 read 1
        iovctl reservation clear v --yes
        until_true 20 gets 000 1 write 1
        gets 000 0 read 1
}

@test "an operator ends what a dead server holds" {
        hosts_start
        reserved
        refuses 2 iovctl reservation clear v < /dev/null
        gets 083 1 write 1
        iovctl reservation clear v --yes
        until_true 20 gets 000 1 write 1
        gets '000 gen 3 type 0 ptpl 0' 1 report
        gets '000 count 1 type 3 more 0' 1 log
        iovctl event list | grep -q "registrations and its reservation are cleared"
        fails 1 iovctl reservation clear nothing --yes
        says 'no such volume'
}

@test "shared on purpose is no overlap" {
        hosts_start
        is '[true,true]' json '[.isolation[]|select(.type=="medium")|.verified and .overlap==null]' iovdump isolation -o json
        is 0 json '[.isolation[]|select(.type=="mapping")]|length' iovdump isolation -o json
}

@test "shared, and not any more, while a server runs with it" {
        iovctl vadapter detach db
        iovctl namespace remove db/1 --yes
        iovctl volume set v shared=false
        hosts_start a/0.sock
        gets '000 nmic 0 rescap 00 *' 0 identify
        gets '002' 0 register 0 0 aa
        iovctl volume set v shared=true
        until_true 20 gets '000 nmic 1 rescap ff *' 0 identify
        until_true 20 gets '000' 0 write 1
        gets 000 0 register 0 0 aa
        gets 000 0 acquire 0 2 aa 0
        gets 000 0 read 1
        iovctl volume set v shared=false
        until_true 20 gets '000 nmic 0 rescap 00 *' 0 identify
        gets 000 0 write 1
        is '[]' json '.reservations' iovctl reservation list -o json
}

@test "a worker that hangs is killed, and whom it held up goes on" {
        local pid

        hosts_start
        reserved
        pid=$(worker_of a)
        kill -STOP "$pid"
        gets 000 1 acquire 1 1 bb aa
        gets 000 1 write 1
        iovctl event list | grep -q "does not follow a change of reservations: killed"
        hosts_forget
}

# A worker that is stopped does not say that it has let go.
@test "a namespace that one lets go of is not taken from the other" {
        local worker i failed=

        hosts_start
        gets 000 1 write 1
        worker=$(worker_of a)
        kill -STOP "$worker"
        iovctl namespace remove da/1 --yes
        for ((i = 0; i < 20; i++)); do
                gets 000 1 read 1 || failed=$i
        done
        kill -CONT "$worker"
        [[ -z $failed ]]
        until_true 20 gets 002 0 read 1
        gets 000 1 write 1
}
