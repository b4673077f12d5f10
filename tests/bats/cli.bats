#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What all tools have in common: usage errors, exit codes, help, completion, no appliance.
load common

setup() {
        appliance_setup
}

teardown() {
        appliance_teardown
}

@test "help and version of every tool" {
        local tool
        for tool in iovctl iovprov iovdump iovtop; do
                run --separate-stderr -0 "$tool" --help
                [[ $output == "usage: $tool"* && -z $stderr ]]
                run --separate-stderr -0 "$tool" --version
                [[ $output =~ ^$tool\ \(iov-tools\)\ [0-9.]+$ && -z $stderr ]]
        done
}

@test "help COMMAND is COMMAND --help" {
        is "$(iovctl help vadapter attach)" iovctl vadapter attach --help
        is "$(iovctl help va at)" iovctl va at -h
        is "$(iovprov help plan)" iovprov plan --help
        run -0 iovctl help vadapter
        [[ $output == *'vadapter detach'* && $output != *'server args'* ]]
}

@test "a usage error is one line and status 2" {
        fails 2 iovctl
        fails 2 iovctl server
        fails 2 iovctl nonsense
        fails 2 iovctl server nonsense
        fails 2 iovctl server list extra
        fails 2 iovctl server show
        says 'SERVER is missing'
        fails 2 iovctl --nonsense server list
        fails 2 iovctl server list --ver
        says 'could be several'
        fails 2 iovctl server list -Z
        fails 2 iovctl server list --quiet=yes
        fails 2 iovctl server list -o
        fails 2 iovctl server list -o ''
        fails 2 iovctl server list -o nonsense
        fails 2 iovctl server list -o name,nonsense
        fails 2 iovctl server list -o csv
        fails 2 iovprov plan -o name
        fails 2 iovdump bundle
        fails 2 iovtop -n many
        fails 2 iovtop -d 0
        fails 2 iovtop -d nan
        fails 2 iovtop extra
}

@test "a malformed address is a usage error" {
        fails 2 iovctl -a nonsense server list
        fails 2 iovctl -a nonsense:x server list
        IOV_APPLIANCE=nonsense fails 2 iovctl server list
}

@test "options may be shortened, joined, and stand anywhere; -- ends them" {
        is '' iovctl -n server list --by
        is '' iovctl --applia="sim:$T/state" server list
        is '' iovctl "-asim:$T/state" -nq server list
        is '' iovctl server -n list -v
        fails 1 iovctl server show -- --help
        says '--help: no such server'
}

@test "-o help lists formats and columns" {
        run -0 iovctl server list -o help
        [[ ${lines[0]} == 'formats: table wide json yaml name' && $output == *worker_pid* ]]
}

@test "no appliance: status 3, at once, and both ways on" {
        local tool
        for tool in 'iovctl server list' 'iovprov plan rack.yaml' 'iovprov apply rack.yaml' 'iovdump registers' 'iovdump bundle b.tar.gz' \
                'iovtop -b -n 1' 'iovctl vadapter attach a b'; do
                # shellcheck disable=SC2086
                fails 3 $tool -a "unix:$T/nothing.sock"
                says "$T/nothing.sock"
                says 'systemctl start iovd'
                says 'sim:'
        done
        fails 3 iovctl server list -o json -a "unix:$T/nothing.sock"
        is 3 jq '.errors[0].exit_code' <<< "$stderr"
        [[ ! -e b.tar.gz ]]
}

@test "a file that is no socket is no appliance" {
        fails 3 iovctl server list -a "unix:$T/rack.yaml"
}

@test "a socket that one may not open: status 4" {
        if [[ $(id -u) -eq 0 ]]; then
                # Permissions do not bind root: ask as somebody else.
                chmod 711 "$T"
                mkdir -m 700 "$T/closed"
                run setpriv --reuid 65534 --clear-groups -- "$IOV_BUILD/iovctl" server list -a "unix:$T/closed/mgmt.sock"
        else
                mkdir -m 000 "$T/closed"
                run iovctl server list -a "unix:$T/closed/mgmt.sock"
        fi
        [[ $status -eq 4 ]]
}

@test "colours only on a terminal, and never with NO_COLOR or --no-color" {
        local escape=$'\e['
        export TERM=xterm
        run -5 iovprov plan rack.yaml
        [[ $output != *"$escape"* ]]
        run -5 script -qec 'iovprov plan rack.yaml' /dev/null
        [[ $output == *"$escape"* ]]
        run -5 script -qec 'iovprov plan --no-color rack.yaml' /dev/null
        [[ $output != *"$escape"* ]]
        NO_COLOR=1 run -5 script -qec 'iovprov plan rack.yaml' /dev/null
        [[ $output != *"$escape"* ]]
        TERM=dumb run -5 script -qec 'iovprov plan rack.yaml' /dev/null
        [[ $output != *"$escape"* ]]
}

@test "messages carry no control characters from files" {
        fails 1 iovprov validate "$(printf 'no\e[31mfile')"
        [[ $stderr != *$'\e'* ]]
}

@test "completion knows objects, verbs, options and names" {
        iovprov apply -q rack.yaml
        is $'server\nadapter\nvolume\nreservation\nvadapter\nnamespace\nlun\ndrive\nnetwork\nqos\nprofile\npool\nidentity\nevent\nlink\ninject' iovctl --complete ''
        is $'volume\nvadapter' iovctl --complete v
        is $'list\nshow\nadd\nset\nremove\nrename\nargs' iovctl --complete '' server
        is $'--ports' iovctl --complete --p server args
        is $'db01\nweb01' iovctl --complete '' server show
        is 'web-disk' iovctl --complete w vadapter detach
        is 'web01' iovctl --complete w -n va at db-disk
        is 'json' iovctl --complete j server list -o
        is 'db01' iovctl --complete db -a "$IOV_APPLIANCE" server show
        is $'unix:\npci:\nsim:' iovprov --complete '' -a
        is $'name,server\nname,slot\nname,state\nname,serial\nname,socket\nname,share' iovctl --complete name,s vadapter list -o
        is '-slot,-state' iovctl --complete -slot,-st vadapter list --sort
        is 'name,server,slot' iovtop --complete name,server,sl -o
        is ':files' iovprov --complete '' plan --prune rack.yaml
        is $'topology\nchassis\nregisters\npci\nisolation\nstate\nbundle' iovdump --complete '' help
        is $'0\n1' iovprov --complete '' rollback
        is '--delay' iovtop --complete --de
        is '' iovctl --complete '' server list
        is '' iovctl --complete '' -a "unix:$T/nothing" server show
}

@test "the shell's completion works in a shell" {
        iovprov apply -q rack.yaml
        complete_line() {
                bash --norc -c '
                        source "$IOV_BUILD/completions/$1"
                        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
                        _$1
                        printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
        }
        is $'db01\nweb01' complete_line iovctl server show ''
        is $'validate' complete_line iovprov v
        is $'rack.yaml' complete_line iovprov plan ra
        is $'chassis' complete_line iovdump ch
        is $'--iterations' complete_line iovtop --it
}
