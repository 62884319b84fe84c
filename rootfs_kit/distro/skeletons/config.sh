# shellcheck shell=bash disable=SC2034
# @distro@: what rootfs-kit and Kata's osbuilder read before they build it. It is run in a bash of its own.

OS_NAME="@distro@"
OS_VERSION="${OS_VERSION:-1}"

# What every guest needs, by the distribution's own names.
PACKAGES="chrony iptables e2fsprogs kmod"
# Asked for are AGENT_INIT, SECCOMP, SELINUX (yes or no) and ARCH (uname -m).
if [[ "${AGENT_INIT}" == no ]]; then
	PACKAGES+=" systemd dbus"
fi

# systemd, or kata-agent where nothing but the agent can be /sbin/init.
INIT_PROCESS=systemd

# Machines (uname -m) that it is not made for.
ARCH_EXCLUDE_LIST=()

# Whether a failure counts as success where GRACEFUL_EXIT is set.
# BUILD_CAN_FAIL=1
