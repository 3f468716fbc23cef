// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

// What `daypass-session` does where all goes well, in C, to measure beside it: session_report SOCKET.

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char *variable(const char *name) { return getenv(name) ? getenv(name) : ""; }

static void read_text(const char *path, char *text, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = file >= 0 ? read(file, text, size - 1) : 0;
    text[count > 0 ? count : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    close(file);
}

static unsigned long long now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (unsigned long long)time.tv_sec * 1000000000u + (unsigned long long)time.tv_nsec;
}

int main(int count, char **arguments)
{
    static char packet[384 << 10];
    char path[64], status[1024], boot[64], answer = 0;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval wait = {0, 200000};
    if (count != 2 || strlen(arguments[1]) >= sizeof address.sun_path)
        return 64;
    strcpy(address.sun_path, arguments[1]);
    snprintf(path, sizeof path, "/proc/%d/stat", (int)getppid());
    read_text(path, status, sizeof status);
    read_text("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    const char *start = strrchr(status, ')');
    for (int field = 2; start != NULL && field < 22; field++)
        start = strchr(start + 1, ' ');
    int length = snprintf(
        packet, sizeof packet,
        "daypass-session=1%cevent=open%cservice=%s%caccount=%s%crhost=%s%ctty=%s%cconnection=%s%cpid=%d%cstart=%llu%c"
        "boot=%s%cwall=%llu%cuptime=%llu%cauth=%s%c",
        0, 0, variable("PAM_SERVICE"), 0, variable("PAM_USER"), 0, variable("PAM_RHOST"), 0, variable("PAM_TTY"), 0,
        variable("SSH_CONNECTION"), 0, (int)getppid(), 0, start ? strtoull(start + 1, NULL, 10) : 0, 0, boot, 0,
        now(CLOCK_REALTIME), 0, now(CLOCK_BOOTTIME), 0, variable("SSH_AUTH_INFO_0"), 0);
    int number = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    if (connect(number, (struct sockaddr *)&address, sizeof address) != 0 ||
        send(number, packet, (size_t)length, MSG_NOSIGNAL) != length || recv(number, &answer, 1, 0) != 1)
        return 1;
    return answer == '1' ? 0 : 1;
}
