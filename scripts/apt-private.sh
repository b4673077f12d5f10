# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Sourced: downloads Debian packages of any suite without touching the host's apt state, and without root.
#
#   apt_private_setup DIR SUITE...   an apt of its own under DIR, on the host's mirror
#   apt_private ARGS...              apt-get there
#   apt_private_closure PACKAGE...   downloads packages with everything they depend on
#   DIR/cache/archives/*.deb         what came

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# One line of progress; stdout belongs to the result.
say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# The mirror that apt is set up with (one-line and deb822 sources alike): the repository that carries this release itself, not
# its -security or -updates suites, which other repositories hold.
apt_mirror() {
	local codename
	if [[ ${IOV_MIRROR-} ]]; then
		printf '%s\n' "$IOV_MIRROR"
		return
	fi
	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME-}")
	# The field names in the format are apt's, not the shell's.
	apt-get indextargets --format "\$(CREATED_BY) \$(RELEASE) \$(REPO_URI)" |
		awk -v name="$codename" '$1 == "Packages" && ($2 == name || $2 ~ /^(old)*stable$/) && !seen++ { print $3 }'
}

apt_private_setup() {
	local dir=$1 mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	shift
	mirror=$(apt_mirror)
	[[ $mirror ]] || die "apt names no Debian mirror: add one to apt's sources, or set IOV_MIRROR to its URL"
	[[ -r $keyring ]] || die "$keyring is missing: apt-get install debian-archive-keyring"
	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$mirror" "$*" "$keyring" >"$dir/iov.sources"
	# Read after the host's own configuration, so proxies and credentials still apply. The host's hooks do not: some of them
	# clean the host's cache. An empty status file makes the download complete whatever the host has installed.
	cat >"$dir/apt.conf" <<-CONF
		Dir::State "$dir/state";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir/cache";
		Dir::Etc::sourcelist "$dir/iov.sources";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		APT::Sandbox::User "$(id -un)";
		APT::Architecture "amd64";
		APT::Install-Recommends "false";
		Acquire::Languages "none";
		Acquire::Retries "3";
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear DPkg::Pre-Invoke;
		#clear DPkg::Post-Invoke;
		#clear DPkg::Pre-Install-Pkgs;
	CONF
	apt_private_dir=$dir
	apt_private update || die "cannot read the package lists of $mirror: is the network there?"
}

apt_private() {
	apt-get -c "$apt_private_dir/apt.conf" -qq -o Dpkg::Use-Pty=0 "$@" >&2
}

apt_private_closure() {
	apt_private install --download-only --yes "$@" || die "cannot download $*: is the network there, and the disk not full?"
}

# The libraries that programs of an unpacked tree need, as paths: asked of the tree's own loader, so the host's do not matter.
tree_libraries() {
	local tree=$1 loader
	shift
	local path=$tree/usr/lib/x86_64-linux-gnu:$tree/lib/x86_64-linux-gnu
	path+=:$(printf '%s:' "$tree"/usr/lib/x86_64-linux-gnu/*/)
	loader=$(find "$tree" -name ld-linux-x86-64.so.2 -type f -print -quit)
	printf '%s\n' "$loader"
	for program in "$@"; do
		"$loader" --library-path "$path" --list "$program" || die "$program: a library is missing in the packages"
	done | awk '$2 == "=>" && $3 ~ /^\// && !seen[$1]++ { print $3 }'
}
