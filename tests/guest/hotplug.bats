#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# vAdapters plugged into, moved between and taken from two real servers while they run. Both are booted once for the whole file.

# shellcheck source=tests/guest/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

# Each has a second QMP socket, which is ours: iovd is on the first.
boot() {
	local -a cable
	mapfile -t cable < <(iov iovctl server args "$1" --ports 4)
	guest_start "$1" "${cable[@]}" -qmp "unix:$work/$1.mine,server=on,wait=off"
}

# One adapter more, whose volumes are on an NBD server.
chassis() {
	sed "/^adapters:/a\\  nbd0: {kind: ssd, capacity: 16GiB, backend: 'nbd+unix:///?socket=$work/nbd.sock'}" "$top/examples/chassis.yaml"
}

teardown_file() {
	load_libraries
	nbd_kill
	guest_stop_all
	appliance_stop "$work"
	rm -rf "$work"
}

setup_file() {
	export UNPLUG_TIMEOUT=4
	work_begin hotplug
	cat >"$work/two.yaml" <<-YAML
		version: 1
		kind: topology
		name: two
		servers:
		  web01: {link: 0, host: {qemu: $work/web01.qmp}}
		  db01: {link: 1, host: {qemu: $work/db01.qmp}}
		volumes:
		  web-boot: {adapter: ssd0, size: 64MiB}
		  db-data: {adapter: ssd0, size: 64MiB}
		  extra: {adapter: ssd1, size: 64MiB}
		vadapters:
		  web-disk: {adapter: ssd0, persona: {serial: WEBDISK}, namespaces: [{volume: web-boot}]}
		  db-disk: {adapter: ssd0, persona: {serial: DBDISK}, namespaces: [{volume: db-data}]}
		  spare: {adapter: ssd1, persona: {serial: SPARE}, namespaces: [{volume: extra}]}
		profiles:
		  blue: {slots: {0: web-disk}}
		  green: {slots: {0: db-disk}}
	YAML
	sed 's/^  web01: {/&profile: blue, /; s/^  db01: {/&profile: green, /' "$work/two.yaml" >"$work/before.yaml"
	sed 's/^  web01: {/&profile: green, /; s/^  db01: {/&profile: blue, /' "$work/two.yaml" >"$work/after.yaml"
	iov iovprov apply -q "$work/before.yaml"
	boot web01
	# db01 is started without its disk and gets it when it runs.
	mapfile -t cable < <(iov iovctl server args db01 --ports 4 | sed '/"driver":"vfio-user-pci"/d' | awk '
		/^-device$/ { held = $0; next } held { print held; held = "" } { print }')
	guest_start db01 "${cable[@]}" -qmp "unix:$work/db01.mine,server=on,wait=off"
}

state() {
	iov iovctl vadapter list -o json | jq -r --arg n "$1" '.vadapters[] | select(.name == $n).state'
}

until_state() {
	local i
	for ((i = 0; i < 200; i++)); do
		[[ $(state "$1") != "$2" ]] || return 0
		sleep 0.1
	done
	echo "$1 is $(state "$1"), not $2"
	return 1
}

# on SERVER SERIAL: waits until the guest has that disk at work; prints its name.
on() {
	local said
	if ! said=$(guest_run "$1" "for i in \$(seq 400); do for d in /sys/class/nvme/*; do
			grep -q '^$2 *\$' \$d/serial && grep -qx live \$d/state && test -b /dev/\${d##*/}n1 && echo \${d##*/}n1 && exit 0
		done 2>/dev/null; sleep 0.1; done; grep . /sys/class/nvme/*/serial; ls -l /dev/nvme*; dmesg | tail -n 30; exit 1"); then
		printf '%s\n' "$1 has no $2 at work:" "$said" >&2
		return 1
	fi
	printf '%s\n' "$said"
}

not_on() {
	guest_run "$1" "! grep -q '^$2 *\$' /sys/class/nvme/*/serial 2>/dev/null"
}

# mine SERVER COMMAND: by our own QMP connection, such as stop and cont.
mine() {
	python3 - "$work/$1.mine" "$2" <<-'PYTHON'
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		f = s.makefile("rw")
		f.readline()
		for command in ("qmp_capabilities", sys.argv[2]):
		    f.write(json.dumps({"execute": command}) + "\n")
		    f.flush()
		    while "return" not in json.loads(f.readline()):
		        pass
	PYTHON
}

@test "what is plugged before and after the start, each once" {
	until_state web-disk connected
	until_state db-disk connected
	on web01 WEBDISK
	on db01 DBDISK
	for server in web01 db01; do
		[ "$(guest_run $server 'lspci -n -d ::0108 | wc -l')" -eq 1 ]
		[ "$(iov iovctl server show $server -o json | jq -r '.servers[0].host_state')" = ready ]
	done
	[ "$(iov iovctl vadapter show web-disk -o json | jq -r '.vadapters[0].interrupts_used')" = msi ]
	[[ $(guest_run web01 'lspci -vv -d ::0108') == *"MSI: Enable+"* ]]
}

@test "attached to a running guest: in its lspci and bound to its driver; detached: gone" {
	iov iovctl vadapter attach spare web01 3
	[ "$(state spare)" = connected ]
	disk=$(on web01 SPARE)
	guest_run web01 "dd if=/dev/$disk of=/dev/null bs=1M iflag=direct"
	iov iovctl vadapter detach spare
	[ "$(state spare)" = detached ]
	not_on web01 SPARE
	[ "$(guest_run web01 'lspci -n -d ::0108 | wc -l')" -eq 1 ]
}

# What it has acknowledged survives it: it is in a file.
nbd_start() {
	rm -f "$work/nbd.sock" "$work/nbd.pid"
	nbdkit -f -P "$work/nbd.pid" -U "$work/nbd.sock" file "$work/exported" </dev/null >"$work/nbd.log" 2>&1 3>&- &
	local i
	for ((i = 0; i < 100; i++)); do
		[ ! -s "$work/nbd.pid" ] || return 0
		sleep 0.1
	done
	cat "$work/nbd.log"
	return 1
}

nbd_kill() {
	local pid
	pid=$(cat "$work/nbd.pid" 2>/dev/null) || return 0
	kill -KILL "$pid" 2>/dev/null || return 0
	while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

# says N TEXT: so often in iovd's log, within 20 seconds
says() {
	local i
	for ((i = 0; i < 200; i++)); do
		[ "$(grep -c "$2" "$work/iovd.log")" -lt "$1" ] || return 0
		sleep 0.1
	done
	tail "$work/iovd.log"
	return 1
}

@test "a disk on an NBD server that is killed while the guest writes: nothing is lost, and no error seen" {
	local disk sum i errors
	truncate -s 128M "$work/exported"
	nbd_start
	cat >"$work/net.yaml" <<-YAML
		version: 1
		kind: topology
		volumes:
		  net: {adapter: nbd0, size: 128MiB, on_remove: retain}
		vadapters:
		  net-disk: {adapter: nbd0, persona: {serial: NETDISK}, namespaces: [{volume: net}]}
	YAML
	iov iovprov apply -q "$work/net.yaml"
	iov iovctl vadapter attach net-disk web01
	disk=$(on web01 NETDISK)
	guest_run web01 "mkfs.ext4 -q /dev/$disk && mount /dev/$disk /mnt && head -c 16777216 /dev/urandom >/mnt/before"
	sum=$(guest_run web01 'sha256sum </mnt/before')
	# What the driver asks a new device for and does not get counts, too.
	errors=$(counter net-disk errors)
	guest_run web01 "rm -f /tmp/stop /tmp/ended; { (n=0; until test -e /tmp/stop; do
		dd if=/mnt/before of=/mnt/file\$((n % 4)) bs=64k conv=fsync 2>/dev/null || exit 1; n=\$((n + 1)); done); echo \$? >/tmp/ended; } >/tmp/load 2>&1 &"
	for ((i = 1; i <= 3; i++)); do
		guest_run web01 'sleep 1'
		nbd_kill
		says "$i" 'NBD export net is away'
		nbd_start
		says "$i" 'NBD export net is there again'
	done
	# shellcheck disable=SC2016 # the guest's shell expands it
	guest_run web01 'until test -s /mnt/file3; do sleep 0.1; done; touch /tmp/stop; until test -e /tmp/ended; do sleep 0.1; done
		test "$(cat /tmp/ended)" -eq 0 && sync && umount /mnt && echo 3 >/proc/sys/vm/drop_caches'
	guest_run web01 "e2fsck -fn /dev/$disk && mount /dev/$disk /mnt"
	for i in before file0 file1 file2 file3; do
		[ "$(guest_run web01 "sha256sum </mnt/$i")" = "$sum" ]
	done
	guest_run web01 'umount /mnt'
	[ "$(counter net-disk errors)" = "$errors" ]
	iov iovctl vadapter detach net-disk
	not_on web01 NETDISK
	iov iovctl vadapter remove net-disk --yes
	iov iovctl volume remove net --yes
	nbd_kill
}

@test "ten times in and out" {
	for ((i = 0; i < 10; i++)); do
		iov iovctl vadapter attach spare db01 $((i % 3 + 1))
		disk=$(on db01 SPARE)
		iov iovctl vadapter detach spare
		not_on db01 SPARE
	done
}

@test "moved while both run: a file written by one is read by the other" {
	iov iovctl vadapter attach spare web01
	disk=$(on web01 SPARE)
	guest_run web01 "mkfs.ext4 -q /dev/$disk && mount /dev/$disk /mnt && head -c 4194304 /dev/urandom >/mnt/file && sync && umount /mnt"
	sum=$(guest_run web01 "mount /dev/$disk /mnt && sha256sum </mnt/file && umount /mnt")
	iov iovctl vadapter move spare --to db01
	[ "$(state spare)" = connected ]
	not_on web01 SPARE
	disk=$(on db01 SPARE)
	[ "$(guest_run db01 "mount /dev/$disk /mnt && sha256sum </mnt/file && umount /mnt")" = "$sum" ]
	iov iovctl vadapter detach spare
}

@test "profiles swapped between two running servers" {
	guest_run web01 "echo web | dd of=/dev/$(on web01 WEBDISK) bs=512 conv=sync oflag=direct"
	guest_run db01 "echo db | dd of=/dev/$(on db01 DBDISK) bs=512 conv=sync oflag=direct"
	iov iovprov apply -q "$work/after.yaml"
	[[ $(guest_run web01 "head -c 4 /dev/$(on web01 DBDISK)") == db* ]]
	[[ $(guest_run db01 "head -c 4 /dev/$(on db01 WEBDISK)") == web* ]]
	not_on web01 WEBDISK
	iov iovprov apply -q "$work/before.yaml"
	on web01 WEBDISK
	on db01 DBDISK
}

# A server at work until told to stop, on a part of its disk that nothing else uses; all that is written is verified.
load_start() {
	guest_run "$1" "rm -f /tmp/stop /tmp/ended; { (until test -e /tmp/stop; do fio --name=n --filename=/dev/$2 --offset=32m --size=4m \
		--allow_file_create=0 --rw=randrw --bs=4k --direct=1 --ioengine=libaio --iodepth=16 --verify=crc32c --verify_fatal=1 \
		--minimal || exit 1; done); echo \$? >/tmp/ended; } >/tmp/load 2>&1 &"
}

# It was at work all the time, and does at least one round more from here on.
load_lost_nothing() {
	# shellcheck disable=SC2016 # the guest's shell expands it
	guest_run "$1" 'test ! -e /tmp/ended && n=$(grep -c ";fio-" /tmp/load)
		until test -e /tmp/ended || [ "$(grep -c ";fio-" /tmp/load)" -gt "$n" ]; do sleep 0.1; done
		touch /tmp/stop; until test -e /tmp/ended; do sleep 0.1; done'
	local said
	said=$(guest_run "$1" 'grep -v ";fio-" /tmp/load; cat /tmp/ended')
	echo "$said"
	[ "$said" = 0 ]
}

# What the guest's kernel has complained about so far.
complaints() {
	guest_run "$1" 'dmesg -r | grep "^<[0-4]>" | grep -c -e nvme -e pcieport -e AER || :'
}

counter() {
	iov iovctl vadapter show "$1" -o json | jq ".vadapters[0].counters.$2"
}

# Of a link, by its number: web01 is on 0, db01 on 1.
link() {
	iov iovctl link show "$1" -o json | jq -r ".links[0].$2"
}

worker() {
	iov iovctl server show "$1" -o json | jq -c '.servers[0] | [.worker_pid, .worker_restarts]'
}

# has N: waits until web01 sees so many disks. A link that goes down cuts them off at once; the hypervisor takes them out after that.
has() {
	guest_run web01 "until [ \"\$(lspci -n -d ::0108 | wc -l)\" -eq $1 ]; do sleep 0.1; done"
}

@test "a link that is disabled takes its server's devices, and no others; enabled, they are back with their data" {
	local disk sum neighbour complaints worker
	iov iovctl vadapter attach spare web01
	disk=$(on web01 SPARE)
	guest_run web01 "mkfs.ext4 -qF /dev/$disk && mount /dev/$disk /mnt && head -c 4194304 /dev/urandom >/mnt/file && umount /mnt"
	sum=$(guest_run web01 "mount /dev/$disk /mnt && sha256sum </mnt/file && umount /mnt")
	guest_run web01 "echo link | dd of=/dev/$(on web01 WEBDISK) bs=512 conv=sync oflag=direct"
	neighbour="$(counter db-disk resets) $(counter db-disk errors)" complaints=$(complaints db01) worker=$(worker db01)
	load_start db01 "$(on db01 DBDISK)"
	has 2
	run iov iovctl link down web01
	[ "$status" -eq 2 ]
	has 2
	iov iovctl link down web01 --yes
	until_state web-disk attached
	until_state spare attached
	[ "$(link 0 state)" = disabled ]
	has 0
	not_on web01 WEBDISK
	not_on web01 SPARE
	# Behind it things are provisioned all the same, and wait.
	iov iovctl vadapter detach spare
	iov iovctl vadapter attach spare web01 2
	has 0
	[ "$(link 1 state)" = L0 ]
	iov iovctl link up web01
	until_state web-disk connected
	until_state spare connected
	[ "$(link 0 state)" = L0 ]
	disk=$(on web01 SPARE)
	has 2
	[ "$(guest_run web01 "mount /dev/$disk /mnt && sha256sum </mnt/file && umount /mnt")" = "$sum" ]
	[[ $(guest_run web01 "head -c 4 /dev/$(on web01 WEBDISK)") == link ]]
	load_lost_nothing db01
	[ "$(counter db-disk resets) $(counter db-disk errors)" = "$neighbour" ]
	[ "$(complaints db01)" = "$complaints" ]
	[ "$(worker db01)" = "$worker" ]
	iov iovctl vadapter detach spare
}

@test "a link that is retrained under load loses nothing" {
	local i counters complaints worker retrains
	counters="$(counter web-disk resets) $(counter web-disk errors)" complaints=$(complaints web01) worker=$(worker web01)
	retrains=$(link 0 retrains)
	load_start web01 "$(on web01 WEBDISK)"
	for ((i = 0; i < 20; i++)); do
		iov iovctl link retrain web01
		[ "$(link 0 state)" = L0 ]
	done
	[ "$(link 0 retrains)" -eq $((retrains + 20)) ]
	load_lost_nothing web01
	[ "$(state web-disk)" = connected ]
	[ "$(counter web-disk resets) $(counter web-disk errors)" = "$counters" ]
	[ "$(complaints web01)" = "$complaints" ]
	[ "$(worker web01)" = "$worker" ]
}

@test "a link that goes down under its server's own load: the I/O ends, with errors, and the guest lives" {
	local disk sum
	disk=$(on web01 WEBDISK)
	load_start web01 "$disk"
	guest_run web01 'sleep 1; test ! -e /tmp/ended'
	iov iovctl link down web01 --yes
	until_state web-disk attached
	# shellcheck disable=SC2016 # the guest's shell expands it
	[ "$(guest_run web01 'until test -e /tmp/ended; do sleep 0.1; done; cat /tmp/ended')" -eq 1 ]
	has 0
	iov iovctl link up web01
	until_state web-disk connected
	load_start web01 "$(on web01 WEBDISK)"
	load_lost_nothing web01
}

@test "a mounted disk: Linux lets go of it, and the appliance is not stuck" {
	iov iovctl vadapter attach spare web01
	disk=$(on web01 SPARE)
	guest_run web01 "mount /dev/$disk /mnt"
	iov iovctl vadapter detach spare
	[ "$(state spare)" = detached ]
	guest_run web01 'umount /mnt'
	iov iovctl vadapter attach spare web01
	disk=$(on web01 SPARE)
	guest_run web01 "e2fsck -p /dev/$disk; mount /dev/$disk /mnt && test -s /mnt/file && umount /mnt"
	iov iovctl vadapter detach spare
}

@test "a guest that does not let go: failed in time, and done when it does" {
	iov iovctl vadapter attach spare web01
	on web01 SPARE
	mine web01 stop
	run iov iovctl vadapter move spare --to db01
	[ "$status" -eq 6 ]
	[[ $output == *"has not let go of it within 4 s"* ]]
	[ "$(state spare)" = failed ]
	mine web01 cont
	until_state spare connected
	on db01 SPARE
	not_on web01 SPARE
	iov iovctl vadapter detach spare
}

@test "--force: a surprise removal, and the guest lives" {
	iov iovctl vadapter attach spare web01
	on web01 SPARE
	mine web01 stop
	run iov iovctl vadapter detach spare
	[ "$status" -eq 6 ]
	iov iovctl vadapter detach --force spare
	[ "$(state spare)" = detached ]
	iov iovctl vadapter attach spare db01
	on db01 SPARE
	mine web01 cont
	guest_run web01 true
	iov iovctl vadapter detach spare
	# the port is free again
	iov iovctl vadapter attach spare web01
	on web01 SPARE
	iov iovctl vadapter detach spare
}

@test "MSI-X is not unplugged from this QEMU, unless it is mended" {
	if [[ $(iov iovctl server show web01 -o json | jq -r '.servers[0].host_version') == 1[01].* ]]; then
		iov iovctl vadapter set spare interrupts=msix
		iov iovctl vadapter attach spare db01 3
		on db01 SPARE
		run iov iovctl vadapter detach spare
		[ "$status" -eq 1 ]
		[[ $output == *"would abort"* ]]
		guest_run db01 true
		guest_stop db01
		until_state spare attached
		iov iovctl vadapter detach spare
		iov iovctl vadapter set spare interrupts=auto
		boot db01
		on db01 DBDISK
	fi
}

@test "INTx does as well" {
	iov iovctl vadapter set spare interrupts=intx
	iov iovctl vadapter attach spare web01
	disk=$(on web01 SPARE)
	guest_run web01 "dd if=/dev/$disk of=/dev/null bs=64k count=64 iflag=direct && grep -q IO-APIC.*nvme /proc/interrupts"
	iov iovctl vadapter detach spare
	not_on web01 SPARE
	iov iovctl vadapter set spare interrupts=auto
}

@test "a server that is switched off and on has what its profile says" {
	guest_stop web01
	until_state web-disk attached
	iov iovctl vadapter attach spare web01 2
	[ "$(state spare)" = attached ]
	boot web01
	on web01 WEBDISK
	on web01 SPARE
	iov iovctl vadapter detach spare
	not_on web01 SPARE
}
