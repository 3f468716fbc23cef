// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Keeps this process's memory, where keys may be, out of files and other processes' hands.
enum ProcessHardening {
    static func apply() {
        // No core file.
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        #if canImport(Glibc)
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
            // No ptrace by others of the same user, no readable /proc/PID/mem, no core through a pipe.
            _ = prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        #else
            _ = unsafe setrlimit(RLIMIT_CORE, &none)
        #endif
        // Swift's runtime answers these by printing registers and the memory that they point to; die plainly instead.
        for number in [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGBUS, SIGSEGV] {
            unsafe signal(number, SIG_DFL)
        }
        // A reader that goes away is an error of write(2), not the end of this process between two files.
        unsafe signal(SIGPIPE, SIG_IGN)
        umask(0o077)
    }
}
