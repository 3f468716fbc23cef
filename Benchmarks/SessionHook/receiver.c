// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

// Stands in for the agent where only the hook is measured: receiver SOCKET takes each packet, writes nothing down, and
// answers "1".

#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    static char packet[512 << 10];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    if (count != 2 || strlen(arguments[1]) >= sizeof address.sun_path)
        return 64;
    strcpy(address.sun_path, arguments[1]);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 512) != 0)
        return 1;
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0)
            return 1;
        if (recv(connection, packet, sizeof packet, 0) > 0)
            (void)!send(connection, "1", 1, MSG_NOSIGNAL);
        close(connection);
    }
}
