// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Keeps a process's memory, where keys may be, out of files and other processes' hands.
public enum ProcessHardening {
    /// To be called first in every program that may hold a key, before there is a second thread.
    public static func apply() {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        #if os(Linux)
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
            _ = daypass_forbid_dumping()
        #else
            _ = unsafe setrlimit(RLIMIT_CORE, &none)
        #endif
        // Swift's runtime answers these by printing registers and the memory that they point to; die plainly instead.
        for number in [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGBUS, SIGSEGV] {
            _ = signal(number, SIG_DFL)
        }
        // A reader that goes away is an error of write(2), not the end of this process between two files.
        _ = signal(SIGPIPE, SIG_IGN)
        // A file at its limit (RLIMIT_FSIZE) likewise.
        _ = signal(SIGXFSZ, SIG_IGN)
        _ = umask(0o077)
    }
}
