// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

// Times programs in turn: interleave ROUNDS NAME COMMAND… -- NAME COMMAND… [-- …]
//
// Each round starts every command once, so that whatever else the machine does hits all of them alike; the first three
// rounds do not count. Prints a line for each: name, median, the middle half's ends, and the median of how much longer it took
// than the first command in the same round, in milliseconds.
// `interleave --free-port` prints a TCP port of the loopback that was free a moment ago.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { MAX_COMMANDS = 16, WARM_UP = 3 };

static double milliseconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int ascending(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static double run(char **command)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;
    posix_spawn_file_actions_init(&actions);
    for (int number = 0; number < 3; number++)
        posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0);
    double start = milliseconds();
    if (posix_spawn(&child, command[0], &actions, NULL, command, environ) != 0) {
        perror(command[0]);
        exit(1);
    }
    waitpid(child, &status, 0);
    double end = milliseconds();
    posix_spawn_file_actions_destroy(&actions);
    if (status != 0) {
        fprintf(stderr, "error: %s ended with status %d\n", command[0], status);
        exit(1);
    }
    return end - start;
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int number = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(number, (struct sockaddr *)&address, size) != 0 ||
        getsockname(number, (struct sockaddr *)&address, &size) != 0)
        return 1;
    printf("%d\n", ntohs(address.sin_port));
    return 0;
}

int main(int count, char **arguments)
{
    char *names[MAX_COMMANDS], **commands[MAX_COMMANDS];
    int number = 0;
    if (count == 2 && strcmp(arguments[1], "--free-port") == 0)
        return free_port();
    int rounds = count > 3 ? atoi(arguments[1]) : 0;
    for (int at = 2; at < count && number < MAX_COMMANDS; number++) {
        names[number] = arguments[at];
        commands[number] = arguments + at + 1;
        while (at < count && strcmp(arguments[at], "--") != 0)
            at++;
        if (at < count)
            arguments[at++] = NULL;
    }
    if (rounds < 1 || number < 1)
        return 64;
    double *times = calloc((size_t)(rounds * number), sizeof *times);
    for (int round = -WARM_UP; round < rounds; round++)
        for (int index = 0; index < number; index++) {
            double time = run(commands[index]);
            if (round >= 0)
                times[index * rounds + round] = time;
        }
    double *more = calloc((size_t)(rounds * number), sizeof *more);
    for (int at = 0; at < rounds * number; at++)
        more[at] = times[at] - times[at % rounds];
    for (int index = 0; index < number; index++) {
        double *mine = times + index * rounds, *longer = more + index * rounds;
        qsort(mine, (size_t)rounds, sizeof *mine, ascending);
        qsort(longer, (size_t)rounds, sizeof *longer, ascending);
        printf("%s %.3f %.3f %.3f %.3f\n", names[index], mine[rounds / 2], mine[rounds / 4], mine[rounds * 3 / 4],
            longer[rounds / 2]);
    }
    free(more);
    free(times);
    return 0;
}
