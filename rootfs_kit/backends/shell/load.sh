# shellcheck shell=bash disable=SC2034
# How osbuilder reads a distribution: its functions first, then config.sh, in a shell that stops at the first error.
# Called with the directory of the distribution; sets CONFIG_DIR.

set -o errexit -o pipefail -o errtrace

LIBRARY="$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
CONFIG_SH=config.sh
LIB_SH=rootfs_lib.sh
distro="$(basename -- "$1")"
distro_config_dir="$1"
script_dir="$(dirname -- "$1")"
# Here for a rootfs_lib.sh that asks what the steps after build_rootfs will work with.
init="${ROOTFS_DIR:-}/sbin/init"

tell_where() {
	local status="$?"
	printf 'Failed at %s:%s: %s\n' "${BASH_SOURCE[1]##*/}" "$1" "${BASH_COMMAND}" >&2
	exit "${status}"
}
trap 'tell_where "${LINENO}"' ERR

# shellcheck source=lib.sh
source "${LIBRARY}"
# shellcheck source=/dev/null
source "${distro_config_dir}/${CONFIG_SH}"
# Set after config.sh, as osbuilder does: a config.sh that wants its own directory takes it from script_dir.
CONFIG_DIR="${distro_config_dir}"
