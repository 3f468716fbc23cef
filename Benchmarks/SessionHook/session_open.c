// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

// Times pam_open_session itself, as sshd calls it, for services in turn: session_open FOLDER ROUNDS SERVICE…
//
// A login takes many times longer than the hook, and wavers by more than the hook takes; this shows the hook alone.
// SSH_AUTH_INFO_0 and SSH_CONNECTION come from the environment. Prints a line for each service: name, median, and the
// middle half's ends, in microseconds.

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <security/pam_appl.h>

enum { MAX_SERVICES = 8, WARM_UP = 10 };

static int converse(int count, const struct pam_message **messages, struct pam_response **responses, void *data)
{
    (void)count, (void)messages, (void)responses, (void)data;
    return PAM_CONV_ERR;
}

static double microseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int ascending(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static void put(pam_handle_t *pam, const char *name)
{
    char *text = NULL;
    if (getenv(name) != NULL && asprintf(&text, "%s=%s", name, getenv(name)) > 0)
        pam_putenv(pam, text);
    free(text);
}

int main(int count, char **arguments)
{
    struct pam_conv conversation = {converse, NULL};
    pam_handle_t *handles[MAX_SERVICES];
    int rounds = count > 3 ? atoi(arguments[2]) : 0, number = count - 3;
    if (rounds < 1 || number > MAX_SERVICES)
        return 64;
    for (int index = 0; index < number; index++) {
        if (pam_start_confdir(arguments[index + 3], "deploy", &conversation, arguments[1], &handles[index]) != PAM_SUCCESS)
            return 1;
        pam_set_item(handles[index], PAM_RHOST, "192.0.2.7");
        pam_set_item(handles[index], PAM_TTY, "ssh");
        put(handles[index], "SSH_AUTH_INFO_0");
        put(handles[index], "SSH_CONNECTION");
    }
    double *times = calloc((size_t)(rounds * number), sizeof *times);
    for (int round = -WARM_UP; round < rounds; round++)
        for (int index = 0; index < number; index++) {
            double start = microseconds();
            if (pam_open_session(handles[index], PAM_SILENT) != PAM_SUCCESS)
                return 1;
            if (round >= 0)
                times[index * rounds + round] = microseconds() - start;
        }
    for (int index = 0; index < number; index++) {
        double *mine = times + index * rounds;
        qsort(mine, (size_t)rounds, sizeof *mine, ascending);
        printf("%s %.1f %.1f %.1f\n", arguments[index + 3], mine[rounds / 2], mine[rounds / 4], mine[rounds * 3 / 4]);
        pam_end(handles[index], PAM_SUCCESS);
    }
    free(times);
    return 0;
}
