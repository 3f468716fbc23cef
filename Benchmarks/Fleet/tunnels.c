/* Daypass: an SSH certificate authority.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Many hosts' agents in one process, for scripts/bench-fleet: each holds a TLS connection with a WebSocket on it, says
 * who it is, answers pings, and says of each call that it is done.
 *
 *   tunnels PORT FILE COUNT AT-ONCE
 *
 * FILE is FleetHosts'. AT-ONCE handshakes are under way at a time. Lines on standard input: "report" sends what FILE has
 * to report, "count" says how many calls were answered since the last such line, "quit" ends it. Answers are lines on
 * standard output.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum state { IDLE, HANDSHAKE, UPGRADE, INTRODUCE, OPEN, DEAD };

struct agent {
    int fd;
    enum state state;
    SSL *ssl;
    char *client, *token, *report;
    unsigned char *in;
    size_t have, room;
    int is_reporting;
};

static struct agent *agents;
static long count, at_once, under_way, next_agent, open_agents, dead, calls, reports_waiting;
static int epoll;
static SSL_CTX *context;
static struct sockaddr_in address;
static char host[64];
static double started, reporting;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *why) {
    perror(why);
    exit(1);
}

static void bury(struct agent *a) {
    if (a->state == OPEN) open_agents--;
    else under_way--;
    if (a->is_reporting) reports_waiting--;
    a->state = DEAD;
    dead++;
    SSL_free(a->ssl);
    close(a->fd);
}

/* Everything that is said fits a socket's buffer: what doesn't is an error here. */
static void say(struct agent *a, const void *bytes, size_t size) {
    size_t done = 0;
    while (done < size) {
        int n = SSL_write(a->ssl, (const char *)bytes + done, (int)(size - done));
        if (n > 0) { done += (size_t)n; continue; }
        if (SSL_get_error(a->ssl, n) != SSL_ERROR_WANT_WRITE) return;
        usleep(100);
    }
}

static void frame(struct agent *a, int opcode, const char *text, size_t size) {
    unsigned char *bytes = malloc(size + 14);
    size_t at = 0;
    if (!bytes) die("malloc");
    bytes[at++] = 0x80 | (unsigned char)opcode;
    if (size < 126) {
        bytes[at++] = 0x80 | (unsigned char)size;
    } else if (size < 65536) {
        bytes[at++] = 0x80 | 126;
        bytes[at++] = (unsigned char)(size >> 8);
        bytes[at++] = (unsigned char)size;
    } else {
        bytes[at++] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8) bytes[at++] = (unsigned char)((unsigned long)size >> shift);
    }
    /* A mask of zeros leaves the text as it is. */
    memset(bytes + at, 0, 4);
    at += 4;
    memcpy(bytes + at, text, size);
    say(a, bytes, at + size);
    free(bytes);
}

static void begin(struct agent *a) {
    int one = 1;
    a->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (a->fd < 0) die("socket");
    setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(a->fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS) die("connect");
    a->ssl = SSL_new(context);
    SSL_set_fd(a->ssl, a->fd);
    SSL_set_tlsext_host_name(a->ssl, "localhost");
    SSL_set_connect_state(a->ssl);
    a->state = HANDSHAKE;
    under_way++;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = a};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, a->fd, &event) != 0) die("epoll_ctl");
}

static void upgrade(struct agent *a) {
    char text[4096];
    int size = snprintf(text, sizeof text,
        "GET /v1/tunnel HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n"
        "Sec-WebSocket-Protocol: daypass.v1\r\nAuthorization: Bearer %s\r\n\r\n", host, a->token);
    say(a, text, (size_t)size);
    a->state = UPGRADE;
}

/* The number behind "id": of a message. */
static long id_of(const char *text) {
    const char *found = strstr(text, "\"id\":");
    return found ? strtol(found + 5, NULL, 10) : -1;
}

static void heard(struct agent *a, int opcode, char *text, size_t size) {
    if (opcode == 9) return frame(a, 10, text, size);
    if (opcode == 8) return bury(a);
    if (opcode != 1) return;
    char last = text[size];
    text[size] = 0;
    if (strstr(text, "\"method\":\"call\"")) {
        char answer[512];
        int is_checkpoint = strstr(text, "\"command\":\"checkpoint\"") != NULL;
        int n = snprintf(answer, sizeof answer,
            "{\"id\":%ld,\"jsonrpc\":\"2.0\",\"result\":{\"status\":%d,\"data\":{\"client_id\":\"%s\",\"command\":\"\","
            "\"message\":\"done\",\"error\":\"no witness\",\"success\":%s,\"timestamp\":\"2026-01-01T00:00:00Z\"}}}",
            id_of(text), is_checkpoint ? 500 : 200, a->client, is_checkpoint ? "false" : "true");
        if (!is_checkpoint) calls++;
        frame(a, 1, answer, (size_t)n);
    } else if (a->state == INTRODUCE) {
        a->state = OPEN;
        under_way--;
        if (++open_agents == count) {
            printf("connected %ld %.3f\n", open_agents, now() - started);
            fflush(stdout);
        }
    } else if (a->is_reporting) {
        a->is_reporting = 0;
        if (!strstr(text, "\"recorded\":64")) fprintf(stderr, "not recorded: %.200s\n", text);
        if (--reports_waiting == 0) {
            printf("reported %.3f\n", now() - reporting);
            fflush(stdout);
        }
    }
    text[size] = last;
}

/* Takes frames out of what has come. */
static void take(struct agent *a) {
    size_t at = 0;
    if (a->state == UPGRADE) {
        unsigned char *end = memmem(a->in, a->have, "\r\n\r\n", 4);
        if (!end) return;
        if (strncmp((char *)a->in, "HTTP/1.1 101", 12) != 0) {
            fprintf(stderr, "refused: %.*s\n", (int)a->have, a->in);
            return bury(a);
        }
        at = (size_t)(end + 4 - a->in);
        char text[512];
        int n = snprintf(text, sizeof text,
            "{\"id\":0,\"jsonrpc\":\"2.0\",\"method\":\"setClientId\",\"params\":{\"clientId\":\"%s\"}}", a->client);
        a->state = INTRODUCE;
        frame(a, 1, text, (size_t)n);
    }
    while (a->state != DEAD && a->have - at >= 2) {
        unsigned char *p = a->in + at;
        size_t head = 2, size = p[1] & 127;
        if (size == 126) head = 4;
        if (size == 127) head = 10;
        if (a->have - at < head) break;
        if (head > 2) {
            size = 0;
            for (size_t i = 2; i < head; i++) size = size << 8 | p[i];
        }
        if (a->have - at < head + size) break;
        heard(a, p[0] & 15, (char *)p + head, size);
        at += head + size;
    }
    if (a->state == DEAD) return;
    memmove(a->in, a->in + at, a->have - at);
    a->have -= at;
    if (a->have == 0) {
        free(a->in);
        a->in = NULL;
        a->room = 0;
    }
}

static void go_on(struct agent *a) {
    if (a->state == HANDSHAKE) {
        int n = SSL_do_handshake(a->ssl);
        if (n != 1) {
            int error = SSL_get_error(a->ssl, n);
            if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
            return bury(a);
        }
        upgrade(a);
    }
    while (a->state != DEAD && a->state != IDLE) {
        if (a->room - a->have < 4096) {
            a->room = a->have + 16384;
            a->in = realloc(a->in, a->room + 1);
            if (!a->in) die("realloc");
        }
        int n = SSL_read(a->ssl, a->in + a->have, (int)(a->room - a->have));
        if (n <= 0) {
            int error = SSL_get_error(a->ssl, n);
            if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return bury(a);
            if (a->have == 0) {
                free(a->in);
                a->in = NULL;
                a->room = 0;
            }
            return;
        }
        a->have += (size_t)n;
        take(a);
    }
}

static void command(void) {
    char line[64];
    if (!fgets(line, sizeof line, stdin) || strncmp(line, "quit", 4) == 0) exit(0);
    if (strncmp(line, "count", 5) == 0) {
        printf("answered %ld open %ld dead %ld\n", calls, open_agents, dead);
        calls = 0;
        fflush(stdout);
    }
    if (strncmp(line, "report", 6) == 0) {
        reporting = now();
        for (long i = 0; i < count; i++) {
            struct agent *a = &agents[i];
            if (a->state != OPEN || !a->report) continue;
            a->is_reporting = 1;
            reports_waiting++;
        }
        for (long i = 0; i < count; i++) {
            struct agent *a = &agents[i];
            if (a->is_reporting) frame(a, 1, a->report, strlen(a->report));
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 5) return 64;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) die("setrlimit");
    setvbuf(stdin, NULL, _IONBF, 0);
    count = atol(argv[3]);
    at_once = atol(argv[4]);
    agents = calloc((size_t)count, sizeof *agents);
    FILE *file = fopen(argv[2], "r");
    if (!file || !agents) die(argv[2]);
    for (long i = 0; i < count; i++) {
        char *line = NULL;
        size_t room = 0;
        if (getline(&line, &room, file) < 0) die("too few hosts");
        line[strcspn(line, "\n")] = 0;
        agents[i].client = strsep(&line, "\t");
        agents[i].token = strsep(&line, "\t");
        agents[i].report = strsep(&line, "\t");
    }
    fclose(file);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)atoi(argv[1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    snprintf(host, sizeof host, "localhost:%s", argv[1]);
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event in = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &in);
    started = now();
    for (;;) {
        while (under_way < at_once && next_agent < count) begin(&agents[next_agent++]);
        struct epoll_event events[256];
        int n = epoll_wait(epoll, events, 256, 1000);
        if (n < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < n; i++) {
            struct agent *a = events[i].data.ptr;
            if (!a) command();
            else if (a->state != DEAD) go_on(a);
        }
    }
}
