// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An open file descriptor that is closed when its owner lets go of it, and that no child inherits by accident.
struct Descriptor: ~Copyable {
    let number: Int32

    init(adopting number: Int32) { self.number = number }

    deinit { _ = close(number) }

    /// The bare number, which the caller now has to close.
    consuming func release() -> Int32 {
        let released = number
        discard self
        return released
    }

    /// Opens `path`; a file that `O_CREAT` makes gets mode 0600.
    static func open(_ path: String, _ flags: Int32) throws -> Descriptor {
        let number = Self.openFile(path, flags | O_CLOEXEC)
        guard number >= 0 else { throw TestSupportError.system("open \(path)") }
        return try Descriptor(awayFromStandard: number)
    }

    /// A pipe's two ends.
    static func pipe() throws -> Pipe {
        var ends: [Int32] = [-1, -1]
        // A child that another thread starts before the flags are set would hold the pipe open.
        let made = Spawn.gate.withLock { _ in
            let result = unsafe makePipe(&ends)
            for end in ends where result == 0 { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            return result
        }
        guard made == 0 else { throw TestSupportError.system("pipe") }
        return Pipe(
            reader: try Descriptor(awayFromStandard: ends[0]),
            writer: try Descriptor(awayFromStandard: ends[1]))
    }

    struct Pipe: ~Copyable {
        let reader: Descriptor
        let writer: Descriptor
    }

    /// Takes `number`, moved above 2: a run with its standard input closed hands out 0, which the child's own
    /// redirections would overwrite.
    private init(awayFromStandard number: Int32) throws {
        guard number <= 2 else {
            self.number = number
            return
        }
        let moved = fcntl(number, F_DUPFD_CLOEXEC, 3)
        let failure = errno
        _ = close(number)
        guard moved >= 0 else { throw TestSupportError.system("fcntl(F_DUPFD_CLOEXEC)", code: failure) }
        self.number = moved
    }

    /// Makes reads and writes return at once with `EAGAIN` instead of waiting.
    func setNonblocking() {
        _ = fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK)
    }

    private static func makePipe(_ ends: UnsafeMutablePointer<Int32>) -> Int32 {
        #if canImport(Darwin)
            unsafe Darwin.pipe(ends)
        #elseif canImport(Glibc)
            unsafe Glibc.pipe(ends)
        #elseif canImport(Musl)
            unsafe Musl.pipe(ends)
        #endif
    }

    private static func openFile(_ path: String, _ flags: Int32) -> Int32 {
        #if canImport(Darwin)
            unsafe Darwin.open(path, flags, 0o600)
        #elseif canImport(Glibc)
            unsafe Glibc.open(path, flags, 0o600)
        #elseif canImport(Musl)
            unsafe Musl.open(path, flags, 0o600)
        #endif
    }
}
