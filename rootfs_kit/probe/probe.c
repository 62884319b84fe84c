/*
 * rootfs-kit's diagnostic agent: stands where kata-agent would, and says what the guest looks like from inside.
 *
 * As process 1 it mounts what kata-agent mounts; as a service it finds that done. Then it prints one JSON object per
 * line on the console, and stays up. It is not kata-agent and answers no request: the conformance suite refuses it
 * unless it is told to accept it.
 *
 * Kernel parameter rootfs_kit.poweroff: power off once everything is said.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PROBE_VERSION
#define PROBE_VERSION "unknown"
#endif

/* The suite recognises the probe by this text. */
static const char MARK[] = "rootfs-kit-probe-agent";

static int out = STDOUT_FILENO;

/* --- JSON, one object per line ------------------------------------------------------------------------------- */

static char line[8192];
static size_t used;

static void put(const char *text, size_t length)
{
	if (used + length < sizeof line) {
		memcpy(line + used, text, length);
		used += length;
	}
}

static void put_text(const char *text)
{
	put(text, strlen(text));
}

/* A JSON string: quotes, backslashes, control characters and bytes that are no ASCII are escaped. */
static void put_string(const char *text)
{
	put_text("\"");
	for (const unsigned char *byte = (const unsigned char *)text; *byte; byte++) {
		char escaped[8];
		if (*byte == '"' || *byte == '\\') {
			escaped[0] = '\\';
			escaped[1] = (char)*byte;
			put(escaped, 2);
		} else if (*byte < 0x20 || *byte >= 0x7f) {
			put(escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", *byte));
		} else {
			put((const char *)byte, 1);
		}
	}
	put_text("\"");
}

static void begin_fact(const char *name)
{
	used = 0;
	put_text("{\"probe\": \"");
	put_text(MARK);
	put_text("\", \"fact\": ");
	put_string(name);
	put_text(", \"value\": ");
}

static void end_fact(void)
{
	put_text("}\n");
	for (size_t done = 0; done < used;) {
		ssize_t written = write(out, line + done, used - done);
		if (written <= 0)
			return;
		done += (size_t)written;
	}
}

static void say_text(const char *name, const char *value)
{
	begin_fact(name);
	if (value)
		put_string(value);
	else
		put_text("null");
	end_fact();
}

static void say_number(const char *name, long long value)
{
	char digits[32];
	snprintf(digits, sizeof digits, "%lld", value);
	begin_fact(name);
	put_text(digits);
	end_fact();
}

static void say_truth(const char *name, int value)
{
	begin_fact(name);
	put_text(value ? "true" : "false");
	end_fact();
}

/* --- What process 1 has to do (kata-agent: src/agent/src/mount.rs:55-64, main.rs:187-360) -------------------- */

struct mounting {
	const char *type, *source, *target, *options;
	unsigned long flags;
};

static const struct mounting MOUNTINGS[] = {
	{"proc", "proc", "/proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"sysfs", "sysfs", "/sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"devtmpfs", "dev", "/dev", NULL, MS_NOSUID},
	{"tmpfs", "tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV},
	{"devpts", "devpts", "/dev/pts", "mode=620,ptmxmode=666", MS_NOSUID | MS_NOEXEC},
	{"tmpfs", "tmpfs", "/run", "mode=755", MS_NOSUID | MS_NODEV},
};

static void mount_everything(void)
{
	for (size_t each = 0; each < sizeof MOUNTINGS / sizeof *MOUNTINGS; each++) {
		const struct mounting *one = &MOUNTINGS[each];
		mkdir(one->target, 0755);
		/* EBUSY: the kernel mounted devtmpfs itself. */
		if (mount(one->source, one->target, one->type, one->flags, one->options) != 0 && errno != EBUSY) {
			char text[128];
			snprintf(text, sizeof text, "%s: %s", one->target, strerror(errno));
			say_text("mount-failed", text);
		}
	}
}

static void open_console(void)
{
	int console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (console >= 0)
		out = console;
}

static void relink_ptmx(void)
{
	unlink("/dev/ptmx");
	if (symlink("/dev/pts/ptmx", "/dev/ptmx") != 0)
		say_text("ptmx-failed", strerror(errno));
}

static void raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (descriptor < 0)
		return;
	if (ioctl(descriptor, SIOCGIFFLAGS, &request) == 0) {
		request.ifr_flags |= IFF_UP | IFF_RUNNING;
		ioctl(descriptor, SIOCSIFFLAGS, &request);
	}
	close(descriptor);
}

/* --- The facts ----------------------------------------------------------------------------------------------- */

/* The beginning of a file without the newline at its end, NULL when it cannot be read; every call uses the same buffer. */
static const char *content_of(const char *path)
{
	static char content[4096];
	int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (descriptor < 0)
		return NULL;
	ssize_t length = read(descriptor, content, sizeof content - 1);
	close(descriptor);
	if (length < 0)
		return NULL;
	if (length > 0 && content[length - 1] == '\n')
		length--;
	content[length] = '\0';
	return content;
}

static const char *kind_of(const char *path)
{
	struct stat status;
	if (lstat(path, &status) != 0)
		return "missing";
	switch (status.st_mode & S_IFMT) {
	case S_IFREG:
		return status.st_size ? "file" : "empty file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return stat(path, &status) == 0 ? "link" : "dangling link";
	case S_IFCHR:
		return "character device";
	default:
		return "other";
	}
}

static int is_executable(const char *path)
{
	return access(path, X_OK) == 0;
}

static int can_write(const char *directory)
{
	char path[256];
	snprintf(path, sizeof path, "%s/.rootfs-kit-probe-XXXXXX", directory);
	int descriptor = mkostemp(path, O_CLOEXEC);
	if (descriptor < 0)
		return 0;
	close(descriptor);
	unlink(path);
	return 1;
}

static int has_parameter(const char *cmdline, const char *wanted)
{
	size_t length = strlen(wanted);
	for (const char *found = cmdline; (found = strstr(found, wanted)); found += length) {
		int begins = found == cmdline || found[-1] == ' ';
		if (begins && strchr(" \n=", found[length] ? found[length] : ' '))
			return 1;
	}
	return 0;
}

static void say_mounts(void)
{
	FILE *mounts = fopen("/proc/self/mounts", "re");
	char device[256], target[256], type[64];
	begin_fact("mounts");
	put_text("{");
	for (int count = 0; mounts && fscanf(mounts, "%255s %255s %63s %*[^\n]", device, target, type) == 3; count++) {
		if (count)
			put_text(", ");
		put_string(target);
		put_text(": ");
		put_string(type);
	}
	put_text("}");
	end_fact();
	if (mounts)
		fclose(mounts);
}

static void say_kernel(const struct utsname *kernel)
{
	char modules[sizeof kernel->release + 32];
	snprintf(modules, sizeof modules, "/lib/modules/%s", kernel->release);
	say_text("kernel", kernel->release);
	say_text("machine", kernel->machine);
	say_text("hostname", kernel->nodename);
	say_text("modules", kind_of(modules));
}

static void say_files(void)
{
	say_text("resolv.conf", kind_of("/etc/resolv.conf"));
	say_text("machine-id", kind_of("/etc/machine-id"));
	say_text("policy", kind_of("/etc/kata-opa/default-policy.rego"));
	say_text("var-run", kind_of("/var/run"));
	say_text("ptp0", kind_of("/dev/ptp0"));
	say_text("console", kind_of("/dev/console"));
	say_truth("modprobe", is_executable("/sbin/modprobe"));
	say_truth("iptables-restore", is_executable("/sbin/iptables-restore"));
	say_truth("mkfs.ext4", is_executable("/sbin/mkfs.ext4"));
	say_truth("shell", is_executable("/bin/sh"));
	say_truth("bus", strcmp(kind_of("/run/dbus/system_bus_socket"), "missing") != 0);
	say_truth("tmp-writable", can_write("/tmp"));
	say_truth("run-writable", can_write("/run"));
}

static void say_everything(void)
{
	struct utsname kernel;
	const char *comm = getpid() == 1 ? NULL : content_of("/proc/1/comm");
	uname(&kernel);
	say_text("announce", PROBE_VERSION);
	say_number("pid", getpid());
	say_text("mode", getpid() == 1 ? "init" : "service");
	say_text("init", comm ? comm : getpid() == 1 ? "probe" : NULL);
	say_text("cmdline", content_of("/proc/cmdline"));
	say_number("time", time(NULL));
	say_kernel(&kernel);
	say_mounts();
	say_files();
	say_truth("ready", 1);
}

/* --- Staying up ---------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t ended;

static void end(int number)
{
	(void)number;
	ended = 1;
}

static void stay(void)
{
	struct sigaction action = {.sa_handler = end};
	sigaction(SIGTERM, &action, NULL);
	while (!ended) {
		pause();
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static void reap(int number)
{
	(void)number;
}

int main(int count, char **arguments)
{
	if (count > 1 && strcmp(arguments[1], "--version") == 0) {
		printf("%s %s: rootfs-kit's diagnostic probe, NOT kata-agent\n", MARK, PROBE_VERSION);
		return 0;
	}
	if (count > 1) {
		fprintf(stderr, "%s: it takes no argument but --version\n", MARK);
		return 2;
	}
	signal(SIGCHLD, reap);
	if (getpid() == 1) {
		mount_everything();
		relink_ptmx();
		raise_loopback();
		open_console();
	}
	say_everything();
	const char *cmdline = content_of("/proc/cmdline");
	if (cmdline && has_parameter(cmdline, "rootfs_kit.poweroff")) {
		sync();
		reboot(RB_POWER_OFF);
	}
	stay();
	return 0;
}
