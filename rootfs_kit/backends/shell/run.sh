# shellcheck shell=bash
# One build as osbuilder does it. $1 is the function of the distribution to call, $2 the distribution's directory,
# further arguments are the function's. The request is in the environment.

_rootfs_kit_called="$1"
_rootfs_kit_directory="$2"
shift 2

# shellcheck source=load.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/load.sh" "${_rootfs_kit_directory}"
if [[ -e "${CONFIG_DIR}/${LIB_SH}" ]]; then
	info "loading ${LIB_SH}"
	# shellcheck source=/dev/null
	source "${CONFIG_DIR}/${LIB_SH}"
fi
check_function_exist "${_rootfs_kit_called}"
"${_rootfs_kit_called}" "$@"
