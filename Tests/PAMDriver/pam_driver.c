// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

// Calls the PAM module's functions without PAM and sshd, so that a test can give it any value and a sanitizer can
// watch: pam_driver open|close|setcred OPTION… <NAME=VALUE NUL …
//
// Its status is the function's result; standard error is the syslog. With DRIVER_ALARM set, a signal that interrupts
// system calls comes every millisecond.

#include "../../Sources/PAMDaypass/pam_daypass.c"

#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/time.h>

struct pam_handle {
    char *values;
    size_t length;
};

static unsigned long allocations;

#ifdef COUNT_ALLOCATIONS
extern void *__libc_malloc(size_t);
void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}
#endif

static const char *look_up(const pam_handle_t *pam, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = pam->values; at < pam->values + pam->length; at += strlen(at) + 1)
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            return at + length + 1;
    return NULL;
}

int pam_get_item(const pam_handle_t *pam, int type, const void **value)
{
    *value = type == PAM_SERVICE ? look_up(pam, "PAM_SERVICE")
        : type == PAM_USER ? look_up(pam, "PAM_USER")
        : type == PAM_RHOST ? look_up(pam, "PAM_RHOST")
        : type == PAM_TTY ? look_up(pam, "PAM_TTY") : NULL;
    return PAM_SUCCESS;
}

const char *pam_getenv(pam_handle_t *pam, const char *name) { return look_up(pam, name); }

void pam_syslog(const pam_handle_t *pam, int priority, const char *format, ...)
{
    va_list arguments;
    (void)pam;
    fprintf(stderr, "<%d>", priority);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static int open_files(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        closedir(folder);
    return count;
}

static void ignore(int number) { (void)number; }

int main(int count, char **arguments)
{
    static char room[2 << 20];
    struct pam_handle pam = {room, 0};
    const char **options = (const char **)(arguments + 2);
    ssize_t got;
    int result = 255;

    if (count < 2)
        return 254;
    while ((got = read(0, room + pam.length, sizeof room - 1 - pam.length)) > 0)
        pam.length += (size_t)got;
    // A copy of exactly its size, so that reading beyond it is seen.
    pam.values = memcpy(malloc(pam.length + 1), room, pam.length + 1);
    int files = open_files();
    if (getenv("DRIVER_ALARM") != NULL) {
        struct sigaction action = {.sa_handler = ignore};
        struct itimerval each = {{0, 1000}, {0, 1000}};
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &each, NULL);
    }
    unsigned long before = allocations;
    if (strcmp(arguments[1], "open") == 0)
        result = pam_sm_open_session(&pam, 0, count - 2, options);
    else if (strcmp(arguments[1], "close") == 0)
        result = pam_sm_close_session(&pam, 0, count - 2, options);
    else if (strcmp(arguments[1], "setcred") == 0)
        result = pam_sm_setcred(&pam, 0, count - 2, options);
    if (allocations != before)
        fprintf(stderr, "%lu allocations\n", allocations - before);
    if (open_files() != files)
        fprintf(stderr, "a descriptor was left open\n");
    free(pam.values);
    return result;
}
