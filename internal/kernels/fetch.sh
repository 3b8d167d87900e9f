#!/usr/bin/env bash
# Fetch the kernels of matrix.txt, and a static busybox for each architecture.
#
#   fetch.sh [DIRECTORY [ENTRY...]]
#
# DIRECTORY is the cache: $IPCTRACE_KERNELS, or ~/.cache/ipctrace/kernels. It gets
#   ENTRY/vmlinuz   ENTRY/version   busybox-ARCHITECTURE
# What is there stays: to take a newer kernel, delete the entry's directory.
#
# Packages come through a private apt configuration: this machine's own suites, lists and
# architectures are neither read nor changed. The mirror is the one apt already uses, or
# $IPCTRACE_DEBIAN_MIRROR. Signatures are verified with Debian's own keyring, for every suite. Whether
# a mirror that lags behind (an expired Release file, in sid after a week) is accepted is this
# machine's own apt setting, Acquire::Check-Valid-Until, which is left as it is.
set -eu -o pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
cache=${1:-${IPCTRACE_KERNELS:-${XDG_CACHE_HOME:-$HOME/.cache}/ipctrace/kernels}}
[ $# -eq 0 ] || shift
only=" $* "

say() { echo "fetch.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# entries prints the matrix, or the part of it that was asked for: name arch suite package.
entries() {
	local name rest
	while read -r name rest; do
		case $name in '' | '#'*) continue ;; esac
		[[ $only == "  " || $only == *" $name "* ]] && echo "$name $rest"
	done <"$here/matrix.txt"
	return 0
}

cached() { [ -s "$cache/$1/vmlinuz" ] && [ -s "$cache/busybox-$2" ]; }

# missing_programs prints the packages of the emulators that are not here yet.
missing_programs() {
	local arch
	for arch in $(entries | awk '{print $2}' | sort -u); do
		case $arch in
		amd64) command -v qemu-system-x86_64 >/dev/null || echo qemu-system-x86 ;;
		arm64) command -v qemu-system-aarch64 >/dev/null || echo qemu-system-arm ;;
		esac
	done
}

install_programs() {
	local packages
	packages=$(missing_programs | xargs)
	[ -n "$packages" ] || return 0
	[ "$(id -u)" = 0 ] || die "not root: run  sudo apt-get install --no-install-recommends $packages"
	say "install $packages"
	# shellcheck disable=SC2086 # a list of words
	{ apt-get -qq update && apt-get -qq install -y --no-install-recommends $packages; } >"$work/log" 2>&1 ||
		{ tail -n 5 "$work/log" >&2; die "install $packages: see above"; }
}

keyring() {
	local file
	for file in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		[ -s "$file" ] && { echo "$file"; return; }
	done
	die "no Debian keyring to verify with: install debian-archive-keyring"
}

# configure makes an apt of its own for one suite and architecture, in $apt.
configure() {
	local suite=$1 arch=$2
	apt=$work/$suite-$arch
	[ ! -d "$apt" ] || return 0
	mkdir -p "$apt/sources" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/packages"
	cat >"$apt/sources/debian.sources" <<-END
		Types: deb
		URIs: $uri
		Suites: $suite
		Components: main
		Architectures: $arch
		Targets: Packages
		Signed-By: $signers
	END
	# status: what is installed here is no candidate there.
	# Error-Mode: without it, update succeeds when a suite cannot be read.
	# Post-Invoke: the machine's own hooks would work on its own lists.
	cat >"$apt/apt.conf" <<-END
		Dir::Etc::sourcelist "/dev/null";
		Dir::Etc::sourceparts "$apt/sources";
		Dir::State::lists "$apt/lists";
		Dir::State::status "$apt/status";
		Dir::Cache "$apt/cache";
		#clear APT::Architectures;
		APT::Architecture "$arch";
		APT::Architectures { "$arch"; };
		APT::Update::Error-Mode "any";
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		Acquire::Languages "none";
		Acquire::Retries "3";
	END
	: >"$apt/status"
	# As root, apt downloads as the user _apt, who must be able to write here.
	[ "$(id -u)" != 0 ] || chown _apt "$apt/packages" 2>/dev/null || true
	quietly apt-get -c "$apt/apt.conf" update
}

quietly() {
	"$@" >"$work/log" 2>&1 || { grep -E '^(E|W|Err)' "$work/log" | tail -n 5 >&2; return 1; }
}

# leaf follows a metapackage to the package that holds the image itself: linux-image-VERSION
# or, from Debian 14, one further on, linux-binary-VERSION.
leaf() {
	local package=$1 next _
	for _ in 1 2 3; do
		next=$(apt-cache -c "$apt/apt.conf" show --no-all-versions "$package" | sed -n 's/^Depends: //p' |
			grep -oE 'linux-(binary|image)-[0-9][^ ,]*' | sort | sed -n 1p) || break
		package=$next
	done
	echo "$package"
}

# unpack downloads a package into $tree.
unpack() {
	local package=$1
	tree=$work/tree
	rm -rf "$tree" "$apt/packages/"*.deb
	(cd "$apt/packages" && quietly apt-get -c "$apt/apt.conf" download "$package") || return 1
	dpkg-deb -x "$apt/packages/"*.deb "$tree"
}

# fetch_kernel and fetch_busybox fill a temporary name in the cache and then rename it, so that an
# interrupted run leaves nothing half done.
fetch_kernel() {
	local name=$1 package image new=$cache/.new.kernel
	[ ! -s "$cache/$name/vmlinuz" ] || return 0
	package=$(leaf "$2")
	unpack "$package" || return 1
	image=$(find "$tree" -type f -name 'vmlinuz*' | sed -n 1p)
	[ -n "$image" ] || { say "$name: no vmlinuz in $package"; return 1; }
	rm -rf "$new" "${cache:?}/$name"
	mkdir "$new"
	cp "$image" "$new/vmlinuz"
	basename "$apt/packages/"*.deb .deb >"$new/version"
	mv -T "$new" "$cache/$name"
	say "$name: $(cat "$cache/$name/version")"
}

fetch_busybox() {
	local arch=$1 program new=$cache/.new.busybox
	[ ! -s "$cache/busybox-$arch" ] || return 0
	unpack busybox-static || return 1
	program=$(find "$tree" -type f -path '*/bin/busybox' | sed -n 1p)
	[ -n "$program" ] || { say "no busybox in busybox-static"; return 1; }
	cp "$program" "$new"
	mv -T "$new" "$cache/busybox-$arch"
}

# fetch_entry is run on the left of ||, where set -e has no say: every step is joined.
fetch_entry() {
	local name=$1 arch=$2 suite=$3 package=$4
	configure "$suite" "$arch" && fetch_kernel "$name" "$package" && fetch_busybox "$arch"
}

all_cached() {
	local name arch _
	while read -r name arch _; do
		cached "$name" "$arch" || return 1
	done < <(entries)
}

[ -n "$(entries)" ] || die "no entry of matrix.txt is called${only% }"
[ -n "$(missing_programs)" ] || ! all_cached || exit 0

command -v apt-get >/dev/null || die "no apt-get: Debian's kernels are fetched with it"
mkdir -p "$cache"
exec 9>"$cache/.lock"
flock 9
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
rm -rf "$cache"/.new.*

install_programs
uri=$("$here/../../.ci/mirror")
signers=$(keyring)
failed=
while read -r name arch suite package <&3; do
	cached "$name" "$arch" && continue
	fetch_entry "$name" "$arch" "$suite" "$package" || failed+=" $name"
done 3< <(entries)
[ -z "$failed" ] || die "not fetched:$failed"
