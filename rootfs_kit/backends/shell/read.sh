# shellcheck shell=bash
# Reads the config.sh of the directory $2 and writes the variables named by the further arguments to descriptor $1:
# name, number of values, values, each ended by a NUL. It may say what it likes on its standard output.

_rootfs_kit_report="$1"
_rootfs_kit_directory="$2"
shift 2
_rootfs_kit_names=("$@")

# A file that a config.sh writes, its output included, ends at 16 MiB.
ulimit -f 16384

# shellcheck source=load.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/load.sh" "${_rootfs_kit_directory}"

for name in "${_rootfs_kit_names[@]}"; do
	unset -n value
	declare -n value="${name}"
	printf '%s\0%d\0' "${name}" "${#value[@]}"
	((${#value[@]} == 0)) || printf '%s\0' "${value[@]}"
done >&"${_rootfs_kit_report}"
