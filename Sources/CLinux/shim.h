// Daypass. SPDX-License-Identifier: Apache-2.0
//
// Linux's own calls that Swift's Glibc module does not show, because they need _GNU_SOURCE or take any number of
// arguments.
#ifndef DAYPASS_CLINUX_H
#define DAYPASS_CLINUX_H

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

/// O_PATH (open(2)): a place in the tree that nothing is read from.
static const int DAYPASS_O_PATH = 010000000;

/// pipe2(2).
static inline int daypass_pipe(int ends[2], int flags) { return (int)syscall(SYS_pipe2, ends, flags); }

/// pidfd_open(2), Linux 5.3: a descriptor that becomes readable when the process ends.
static inline int daypass_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

/// Who is at the other end of a Unix socket (SO_PEERCRED, unix(7)); -1 when that cannot be known.
static inline int daypass_peer(int socket, pid_t *pid, uid_t *uid)
{
    struct { pid_t pid; uid_t uid; gid_t gid; } peer;
    socklen_t size = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return -1;
    *pid = peer.pid;
    *uid = peer.uid;
    return 0;
}

#endif
