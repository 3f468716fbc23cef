// Daypass. SPDX-License-Identifier: Apache-2.0
//
// Linux's own calls that Swift's Glibc module does not show, because they need _GNU_SOURCE or take any number of
// arguments.
#ifndef DAYPASS_CLINUX_H
#define DAYPASS_CLINUX_H

#include <elf.h>

#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
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

/// pidfd_send_signal(2), Linux 5.1: a signal to the process that the descriptor was opened for, and to no other that
/// may have its number by now.
static inline int daypass_pidfd_send_signal(int descriptor, int number)
{
    return (int)syscall(SYS_pidfd_send_signal, descriptor, number, (void *)0, 0);
}

/// Keeps SIGTERM, SIGINT and SIGHUP from acting, and makes them readable from a descriptor (signalfd(2)).
static inline int daypass_signal_descriptor(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &signals, (void *)0) != 0)
        return -1;
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

/// The next signal of such a descriptor; 0 when there is none.
static inline int daypass_next_signal(int descriptor)
{
    struct signalfd_siginfo info;
    return read(descriptor, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

/// A descriptor that becomes readable when a file gets a name in a folder (inotify(7)); -1 when that is not possible.
static inline int daypass_watch_folder(const char *path)
{
    int descriptor = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (descriptor >= 0 && inotify_add_watch(descriptor, path, IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW) < 0) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

/// accept4(2), non-blocking and closed in children.
static inline int daypass_accept(int socket)
{
    return (int)syscall(SYS_accept4, socket, (void *)0, (void *)0, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

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

/// Gives back the pages of the program's file that the process has read so far; what is needed again is mapped again
/// from the page cache.
///
/// Only segments that cannot be written to: relocated pages differ from the file, and stay.
static inline void daypass_drop_program_pages(void)
{
    extern const char __ehdr_start[] __attribute__((visibility("hidden")));
    const Elf64_Ehdr *head = (const Elf64_Ehdr *)__ehdr_start;
    const Elf64_Phdr *segments = (const Elf64_Phdr *)(__ehdr_start + head->e_phoff);
    size_t page = (size_t)sysconf(_SC_PAGESIZE), first = 0;
    for (int i = 0, found = 0; i < head->e_phnum && !found; i++)
        if (segments[i].p_type == PT_LOAD) {
            first = segments[i].p_vaddr;
            found = 1;
        }
    size_t base = (size_t)__ehdr_start - first;
    for (int i = 0; i < head->e_phnum; i++) {
        if (segments[i].p_type != PT_LOAD || segments[i].p_flags & PF_W)
            continue;
        // Whole pages within the segment: an edge may belong to its neighbour.
        size_t start = (base + segments[i].p_vaddr + page - 1) & ~(page - 1);
        size_t end = (base + segments[i].p_vaddr + segments[i].p_filesz) & ~(page - 1);
        if (start < end)
            madvise((void *)start, end - start, MADV_DONTNEED);
    }
}

/// Starts a thread that nobody waits for; 0 when it runs. (pthread_attr_t belongs to whichever of our C modules was
/// compiled first, so Swift can't name it.)
static inline int daypass_start_thread(size_t stack, void *(*body)(void *), void *argument)
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0)
        return -1;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, stack);
    int status = pthread_create(&thread, &attributes, body, argument);
    pthread_attr_destroy(&attributes);
    return status;
}

/// One heap for all threads (mallopt(3)): each thread's own would stay when the thread has gone.
static inline void daypass_share_heap(void) { mallopt(M_ARENA_MAX, 1); }

/// Gives what is free at the heap's end back to the kernel (malloc_trim(3)).
static inline void daypass_trim_heap(void) { malloc_trim(0); }

#endif
