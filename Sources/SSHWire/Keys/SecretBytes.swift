// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium
import Synchronization

/// Secret bytes in libsodium's guarded memory (`sodium_malloc`): locked against swapping where the system's limit
/// allows it, left out of core dumps, between two guard pages, and wiped when the last reference goes.
///
/// Nobody, the owner included, can read or write them outside a borrow: a stray read ends the process. They are never
/// written again after they were made. One takes at least four pages, so they are for keys, files and passphrases
/// and not for many small things.
///
/// Sendable: the content is written before the initialiser returns and only read after it, and the page protection is
/// changed under a lock that counts the readers.
@safe public final class SecretBytes: @unchecked Sendable {
    /// How many bytes there are.
    public let count: Int
    private let base: UnsafeMutableRawPointer
    private let readers = Mutex(0)

    /// Guarded bytes that `fill` writes, all of them: what it leaves unwritten is not defined.
    ///
    /// - Throws: what `fill` throws (whatever it has written is wiped), `.invalidValue` for a negative count,
    ///   `.cryptoFailure` when there is no memory.
    public convenience init(
        count: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(SSHWireError) -> Void
    ) throws(SSHWireError) {
        try unsafe self.init(upTo: count) { buffer throws(SSHWireError) in
            try unsafe fill(buffer)
            return buffer.count
        }
    }

    /// Guarded bytes of which `fill` knows the number only when it has written them.
    ///
    /// - Parameters:
    ///   - capacity: the room that `fill` gets.
    ///   - fill: returns how many bytes it has written, from the start on.
    public init(
        upTo capacity: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(SSHWireError) -> Int
    ) throws(SSHWireError) {
        unsafe base = try guardedAllocation(capacity)
        do throws(SSHWireError) {
            let written = try unsafe fill(UnsafeMutableRawBufferPointer(start: base, count: capacity))
            guard (0...capacity).contains(written) else {
                throw SSHWireError(.invalidValue, "secret: \(written) bytes written in room for \(capacity)")
            }
            count = written
        } catch {
            unsafe sodium_free(base)
            throw error
        }
        unsafe protect(sodium_mprotect_noaccess(base))
    }

    deinit {
        // It makes the pages writable, checks that nothing wrote past them, wipes and unmaps them.
        unsafe sodium_free(base)
    }

    /// Opens the bytes for reading while `body` runs; several threads may do so at once.
    ///
    /// What `body` copies elsewhere is no longer guarded, and the pointer is worth nothing after it.
    public func withUnsafeBytes<R: ~Copyable, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        open()
        defer { close() }
        return try unsafe body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// Opens the bytes for reading while `body` runs, without a pointer.
    public func withSpan<R: ~Copyable, E: Error>(
        _ body: (Span<UInt8>) throws(E) -> R
    ) throws(E) -> R {
        try unsafe withUnsafeBytes { (bytes) throws(E) -> R in
            try unsafe body(Span(_unsafeBytes: bytes))
        }
    }

    private func open() {
        readers.withLock { count in
            if count == 0 { unsafe protect(sodium_mprotect_readonly(base)) }
            count += 1
        }
    }

    private func close() {
        readers.withLock { count in
            count -= 1
            if count == 0 { unsafe protect(sodium_mprotect_noaccess(base)) }
        }
    }
}

/// Changing the protection of pages that are ours fails only when the kernel has no room for another mapping; going
/// on would leave a secret open or end in a fault that nobody could explain.
private func protect(_ status: Int32) {
    guard status == 0 else { fatalError("the kernel refused to protect a secret's pages") }
}

/// Calls `body` with guarded bytes that are wiped and gone when it returns: for what is derived on the way.
///
/// Aligned for any integer when `count` is a multiple of 8: `sodium_malloc` puts the last byte at a page's end.
func withGuardedScratch<R: ~Copyable>(
    _ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(SSHWireError) -> R
) throws(SSHWireError) -> R {
    let base = unsafe try guardedAllocation(count)
    defer { unsafe sodium_free(base) }
    return try unsafe body(UnsafeMutableRawBufferPointer(start: base, count: count))
}

private func guardedAllocation(_ count: Int) throws(SSHWireError) -> UnsafeMutableRawPointer {
    guard count >= 0 else { throw SSHWireError(.invalidValue, "secret: \(count) bytes") }
    guard Sodium.isReady, let base = unsafe sodium_malloc(count) else {
        throw SSHWireError(.cryptoFailure, "libsodium: no guarded memory for \(count) bytes")
    }
    return unsafe base
}

/// libsodium, initialised once.
enum Sodium {
    /// True when it can be used: `sodium_init` finds the page size, the random source and the fastest code.
    static let isReady = sodium_init() >= 0
}
