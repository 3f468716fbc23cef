// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

// Reports each session that PAM opens and closes to the agent, or leaves the report in a folder for it.
//
// It runs inside sshd, as root, at every login: no threads, no signals, no memory of its own on the way to the agent,
// nothing that waits without a deadline. What is sent: docs/formats/session-report.md. Options: docs/session-hook.md.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#define EXPORT __attribute__((visibility("default")))
// A report's limits, which its reader checks (ControlProtocol, SessionReport); all of it may have 384 KiB.
enum { MAX_SHORT = 256, MAX_NAME = 1024, MAX_FIELDS = 4096, MAX_AUTHENTICATION = (384 << 10) - MAX_FIELDS };
// A larger packet needs more than the send buffer that Linux gives (net.core.wmem_default, 208 KiB with overhead).
enum { ORDINARY_PACKET = 64 << 10, DEFAULT_TIMEOUT = 200, MAX_TIMEOUT = 10000 };
// A dead agent must not fill the disk: no more reports than this are kept, and none in the disk's last sixteenth.
enum { MAX_SPOOLED = 65536, KEPT_FREE = 16 };
enum { NEW_FILE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };

struct options {
    const char *socket, *spool;
    int timeout, enforce; // milliseconds; a bool
};

struct report {
    char fields[MAX_FIELDS];
    struct iovec parts[3]; // The fields, SSH_AUTH_INFO_0 where PAM keeps it, and the last NUL.
    size_t length, total;  // of the fields, of all
    char name[64], temporary[72]; // of its file in the spool
};

// How many bytes of a text are within a limit, if each that may not be UTF-8 becomes a replacement character of three
// bytes at the reader's.
static size_t bounded(const char *text, size_t limit)
{
    size_t count = 0, cost = 0;
    while (text[count] != 0 && (cost += (unsigned char)text[count] < 0x80 ? 1 : 3) <= limit)
        count++;
    return count;
}

// Too long a value is cut: the login is recorded all the same.
static void add(struct report *report, const char *name, const char *value, size_t limit)
{
    int length = value != NULL ? (int)bounded(value, limit) : 0;
    size_t room = sizeof report->fields - report->length;
    int count = snprintf(report->fields + report->length, room, "%s=%.*s", name, length, length > 0 ? value : "");
    if (count >= 0 && (size_t)count < room) // Always: the limits add up to less than there is.
        report->length += (size_t)count + 1;
}

static void add_number(struct report *report, const char *name, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    add(report, name, text, sizeof text);
}

static const char *item(const pam_handle_t *pam, int type)
{
    const void *value = NULL;
    return pam_get_item(pam, type, &value) == PAM_SUCCESS ? value : NULL;
}

static uint64_t now(clockid_t clock)
{
    struct timespec time = {0, 0};
    (void)clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// Reads the beginning of a file of /proc as text; empty when that fails.
static void read_text(const char *path, char *text, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = file >= 0 ? read(file, text, size - 1) : 0; // Never waits, so no signal breaks it off.
    text[count > 0 ? count : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    if (file >= 0)
        close(file);
}

// Field 22 of /proc/self/stat. The program's name, field 2, may hold blanks and brackets: it is looked for from behind.
static uint64_t process_start(void)
{
    char text[1024];
    read_text("/proc/self/stat", text, sizeof text);
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoull(at + 1, NULL, 10) : 0;
}

static void collect(pam_handle_t *pam, const char *event, struct report *report)
{
    char boot[64];
    uint64_t wall = now(CLOCK_REALTIME);
    read_text("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    report->length = 0;
    add(report, "daypass-session", "1", 1);
    add(report, "event", event, 8);
    add(report, "service", item(pam, PAM_SERVICE), MAX_SHORT);
    add(report, "account", item(pam, PAM_USER), MAX_NAME);
    add(report, "rhost", item(pam, PAM_RHOST), MAX_NAME);
    add(report, "tty", item(pam, PAM_TTY), MAX_SHORT);
    add(report, "connection", pam_getenv(pam, "SSH_CONNECTION"), MAX_SHORT);
    add_number(report, "pid", (uint64_t)getpid());
    add_number(report, "start", process_start());
    add(report, "boot", boot, sizeof boot);
    add_number(report, "wall", wall);
    add_number(report, "uptime", now(CLOCK_BOOTTIME));
    add(report, "auth", NULL, 0);
    report->length -= 1; // Its value follows.
    const char *proof = pam_getenv(pam, "SSH_AUTH_INFO_0");
    size_t length = proof != NULL ? bounded(proof, MAX_AUTHENTICATION) : 0;
    report->parts[0] = (struct iovec){report->fields, report->length};
    report->parts[1] = (struct iovec){(void *)(uintptr_t)proof, length};
    report->parts[2] = (struct iovec){(void *)(uintptr_t)"", 1};
    report->total = report->length + length + 1;
    snprintf(report->name, sizeof report->name, "%020" PRIu64 "-%d-%s", wall, (int)getpid(), event);
    snprintf(report->temporary, sizeof report->temporary, ".%s.new", report->name);
}

// Bounds the next wait on the socket by what is left of the deadline.
static int arm(int number, int option, uint64_t deadline)
{
    uint64_t time = now(CLOCK_MONOTONIC), rest = time < deadline ? (deadline - time) / 1000 : 0;
    struct timeval wait = {(time_t)(rest / 1000000), (suseconds_t)(rest % 1000000)};
    errno = ETIMEDOUT;
    return rest == 0 ? -1 : setsockopt(number, SOL_SOCKET, option, &wait, sizeof wait);
}

// Sends the report as one packet and waits for the agent's word that its record is durable. The agent is root, or
// whoever runs this where that is not root: nobody else is told who logs in.
static int exchange(int number, const struct options *options, struct report *report)
{
    uint64_t deadline = now(CLOCK_MONOTONIC) + (uint64_t)options->timeout * 1000000u;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct msghdr message = {.msg_iov = report->parts, .msg_iovlen = 3};
    struct ucred peer = {0, (uid_t)-1, (gid_t)-1};
    socklen_t peer_size = sizeof peer;
    int size = (int)report->total * 2;
    ssize_t count;
    char answer = 0;
    errno = ENAMETOOLONG;
    if (strlen(options->socket) >= sizeof address.sun_path)
        return -1;
    strcpy(address.sun_path, options->socket);
    if (report->total > ORDINARY_PACKET && setsockopt(number, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
        setsockopt(number, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    // Not non-blocking: connect(2) then fails at once when the agent's queue is full, with nothing to poll(2) for.
    do
        if (arm(number, SO_SNDTIMEO, deadline) != 0)
            return -1;
    while ((count = connect(number, (struct sockaddr *)&address, sizeof address)) != 0 && errno == EINTR);
    if (count != 0 || getsockopt(number, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) != 0)
        return -1;
    errno = EPERM;
    if (peer.uid != 0 && peer.uid != geteuid())
        return -1;
    if (sendmsg(number, &message, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)report->total)
        return -1;
    do
        if (arm(number, SO_RCVTIMEO, deadline) != 0)
            return -1;
    while ((count = recv(number, &answer, 1, 0)) < 0 && errno == EINTR);
    if (count >= 0)
        errno = EPROTO; // It closed, or says something else.
    return count == 1 && answer == '1' ? 0 : -1;
}

// Whether the spool has room and belongs to nobody but root (or whoever runs this). The system's own call counts the
// names: readdir(3) allocates.
static int may_spool(int folder, size_t total)
{
    struct stat status;
    struct statvfs disk;
    struct rlimit limit;
    _Alignas(8) char names[16384]; // Entries: two numbers of 8 bytes, the entry's length in 2, its type and name.
    long bytes, count = 0;
    uint16_t length = 0;
    if (fstat(folder, &status) != 0 || fstatvfs(folder, &disk) != 0 || getrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 0;
    errno = EPERM;
    if ((status.st_uid != 0 && status.st_uid != geteuid()) || (status.st_mode & 022) != 0)
        return 0;
    // Beyond the limit that pam_limits may have set, a write is a signal that would end sshd.
    errno = EFBIG;
    if (limit.rlim_cur < total)
        return 0;
    while ((bytes = syscall(SYS_getdents64, folder, names, sizeof names)) > 0)
        for (long at = 0; at < bytes; at += length, count++)
            memcpy(&length, names + at + 16, sizeof length);
    errno = ENOSPC;
    return bytes == 0 && count < MAX_SPOOLED && disk.f_bavail > disk.f_blocks / KEPT_FREE &&
           (disk.f_files == 0 || disk.f_favail > disk.f_files / KEPT_FREE);
}

// Leaves the report as a file of its own, complete or not there. Only `enforce` waits for the disk: a login must not
// hang on it, and what the kernel has outlives sshd and the agent.
static int spool_into(int folder, const struct options *options, struct report *report)
{
    int file = may_spool(folder, report->total) ? openat(folder, report->temporary, NEW_FILE, 0600) : -1;
    if (file < 0)
        return -1;
    ssize_t count = writev(file, report->parts, 3);
    int failure = count < 0 ? errno : count != (ssize_t)report->total ? ENOSPC : 0;
    if (failure == 0 && options->enforce && fdatasync(file) != 0)
        failure = errno;
    close(file);
    if (failure == 0 && renameat(folder, report->temporary, folder, report->name) != 0)
        failure = errno;
    if (failure == 0)
        return options->enforce ? fsync(folder) : 0;
    unlinkat(folder, report->temporary, 0);
    errno = failure;
    return -1;
}

// Closes the descriptor of one of the two ways; the reason why that way failed stays in errno.
static int done(int number, int result)
{
    int failure = errno;
    if (number >= 0)
        close(number);
    errno = failure;
    return result;
}

static int report_session(pam_handle_t *pam, const char *event, int count, const char **arguments)
{
    struct options options = {"/run/daypass/session.sock", "/var/lib/daypass/spool", DEFAULT_TIMEOUT, 0};
    struct report report;
    for (int index = 0; index < count; index++) {
        const char *text = arguments[index];
        char *end = NULL;
        long timeout = strncmp(text, "timeout=", 8) == 0 ? strtol(text + 8, &end, 10) : 0;
        if (strcmp(text, "enforce") == 0)
            options.enforce = 1;
        else if (strncmp(text, "socket=/", 8) == 0)
            options.socket = text + 7;
        else if (strncmp(text, "spool=/", 7) == 0)
            options.spool = text + 6;
        else if (timeout >= 1 && timeout <= MAX_TIMEOUT && *end == 0)
            options.timeout = (int)timeout;
        else
            pam_syslog(pam, LOG_ERR, "%.64s: not an option, or not a value of it; left out", text);
    }
    collect(pam, event, &report);
    int number = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (done(number, number < 0 ? -1 : exchange(number, &options, &report)) == 0)
        return PAM_SUCCESS;
    const char *agent = strerror(errno == EAGAIN ? ETIMEDOUT : errno);
    number = open(options.spool, O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (done(number, number < 0 ? -1 : spool_into(number, &options, &report)) == 0) {
        pam_syslog(pam, LOG_NOTICE, "%s: no agent (%s); the report is in the spool", event, agent);
        return PAM_SUCCESS;
    }
    pam_syslog(pam, LOG_ERR, "%s: NOT RECORDED: no agent (%s), no spool (%s)", event, agent, strerror(errno));
    return options.enforce ? PAM_SESSION_ERR : PAM_SUCCESS;
}

// Success also without a record: if all modules of a stack say PAM_IGNORE, the login fails.
EXPORT int pam_sm_open_session(pam_handle_t *pam, int flags, int count, const char **arguments)
{
    return (void)flags, report_session(pam, "open", count, arguments);
}

EXPORT int pam_sm_close_session(pam_handle_t *pam, int flags, int count, const char **arguments)
{
    return (void)flags, report_session(pam, "close", count, arguments), PAM_SUCCESS;
}

// It decides about nobody's identity, account or password.
#define HAS_NO_SAY(name)                                                                                               \
    EXPORT int name(pam_handle_t *pam, int flags, int count, const char **arguments)                                   \
    { return (void)pam, (void)flags, (void)count, (void)arguments, PAM_IGNORE; }
HAS_NO_SAY(pam_sm_authenticate)
HAS_NO_SAY(pam_sm_setcred)
HAS_NO_SAY(pam_sm_acct_mgmt)
HAS_NO_SAY(pam_sm_chauthtok)
