# shellcheck shell=bash
# @distro@: how its packages get into the rootfs. Delete this file, and name BASE_URL or METALINK and GPG_KEY_FILE in
# config.sh, for a distribution that dnf installs.

build_rootfs() {
	local rootfs_dir="$1"
	check_root
	# FILL IN, in place of the next line. What config.sh set is there, EXTRA_PKGS has the packages that the user adds,
	# REPO_URL the mirror that the user names, and CONFIG_DIR is this directory. For instance:
	#   mmdebstrap --variant=required --include="${PACKAGES// /,}" "${OS_VERSION}" "${rootfs_dir}" "${REPO_URL}"
	die "build_rootfs in rootfs_lib.sh of @distro@ has to be filled in; it was to fill ${rootfs_dir}"
}

# Run on the host around the container that a build runs in; container_engine is docker or podman.
before_starting_container() {
	return 0
}

after_stopping_container() {
	return 0
}
