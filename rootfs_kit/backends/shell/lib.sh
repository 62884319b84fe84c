# shellcheck shell=bash
# The functions that a config.sh or rootfs_lib.sh of Kata's osbuilder may call, and may define anew: what a
# distribution's own files say comes later and wins. (The contract: tools/osbuilder/scripts/lib.sh and
# rootfs-builder/README.md of Kata Containers.)

info() {
	printf 'INFO: %s\n' "$*"
}

warning() {
	printf 'WARNING: %s\n' "$*"
}

error() {
	printf 'ERROR: %s\n' "$*" >&2
}

OK() {
	printf '[OK] %s\n' "$*" >&2
}

die() {
	error "$@"
	exit 1
}

check_program() {
	type -- "$1" > /dev/null 2>&1
}

check_root() {
	((EUID == 0)) || die "this must be run as root"
}

check_function_exist() {
	[[ "$(type -t "$1")" == function ]] || die "there is no function $1"
}

# By default nothing happens around the container that a build runs in.
before_starting_container() {
	return 0
}

after_stopping_container() {
	return 0
}

# Write a configuration for dnf to $DNF_CONF, from the variables that a config.sh sets for it.
generate_dnf_config() {
	local key_file=""
	[[ -z "${GPG_KEY_FILE:-}" ]] || key_file="${CONFIG_DIR}/${GPG_KEY_FILE}"
	if [[ -n "${GPG_KEY_URL:-}" && ! -f "${key_file}" ]]; then
		key_file="${CONFIG_DIR}/${GPG_KEY_FILE:-$(basename "${GPG_KEY_URL}")}"
		curl --fail --location --silent --show-error --retry 3 --output "${key_file}" -- "${GPG_KEY_URL}" \
			|| die "the signing key ${GPG_KEY_URL} cannot be fetched"
	fi
	{
		# No repository of the host may add packages to the guest.
		printf '[main]\nreposdir=/nonexistent\n'
		_dnf_repository base "${BASE_URL:-}" "${METALINK:-}" "${key_file}"
		if [[ "${SELINUX}" == yes && -n "${METALINK_APPSTREAM:-}" ]]; then
			_dnf_repository appstream "" "${METALINK_APPSTREAM}" "${key_file}"
		fi
	} > "${DNF_CONF}"
}

_dnf_repository() {
	printf '\n[%s]\nname=%s %s %s\n' "$1" "${OS_NAME}" "${OS_VERSION}" "$1"
	if [[ -n "$2" ]]; then
		printf 'baseurl=%s\n' "$2"
	else
		printf 'metalink=%s\n' "$3"
	fi
	if [[ -n "$4" ]]; then
		printf 'gpgcheck=1\ngpgkey=file://%s\n' "$4"
	else
		warning "config.sh names no GPG_KEY_FILE or GPG_KEY_URL: packages of $1 are not verified" >&2
		printf 'gpgcheck=0\n'
	fi
}

# A home whose macros keep rpm's database where a guest has it: Debian's rpm would put it into root's home. It lies
# beside this file, and goes with the build.
_home_for_rpm() {
	local home="${HOME:-/root}"
	if check_program rpm && [[ "$(rpm --eval '%_dbpath')" == */.rpmdb ]]; then
		home="$(mktemp --directory --tmpdir="${LIBRARY%/*}")"
		printf '%%_dbpath /var/lib/rpm\n' > "${home}/.rpmmacros"
	fi
	printf '%s\n' "${home}"
}

# The build of a distribution that has no rootfs_lib.sh: its packages, by dnf.
build_rootfs() {
	local rootfs_dir="$1" manager="${PKG_MANAGER:-}"
	local -a words packages
	[[ -n "${rootfs_dir}" ]] || die "build_rootfs wants the directory to fill"
	check_root
	if [[ -z "${BASE_URL:-}${METALINK:-}${DISTRO_REPO:-}${DNF_CONF:-}" ]]; then
		die "config.sh names no repository (BASE_URL or METALINK), and there is no rootfs_lib.sh with a build_rootfs"
	fi
	if [[ -z "${manager}" ]]; then
		if check_program dnf; then
			manager=dnf
		elif check_program yum; then
			manager=yum
		else
			die "neither dnf nor yum is installed"
		fi
	fi
	read -r -d '' -a words <<< "${manager}" || true
	words+=(-y --noplugins "--installroot=${rootfs_dir}" "--releasever=${OS_VERSION}")
	if [[ -z "${DISTRO_REPO:-}" && ! -f "${DNF_CONF:-}" ]]; then
		DNF_CONF="$(mktemp --suffix=.conf --tmpdir="${LIBRARY%/*}")"
		generate_dnf_config
	fi
	[[ -z "${DNF_CONF:-}" ]] || words+=("--config=${DNF_CONF}")
	read -r -d '' -a packages <<< "${EXTRA_PKGS:-} ${PACKAGES:-}" || true
	info "installing packages"
	mkdir -p -- "${rootfs_dir}"
	HOME="$(_home_for_rpm)" "${words[@]}" install "${packages[@]}"
	local name
	for name in bash-completion cracklib doc info locale man misc pixmaps terminfo zoneinfo zsh; do
		rm -rf -- "${rootfs_dir:?}/usr/share/${name}"
	done
}
