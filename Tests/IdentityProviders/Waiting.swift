// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TestSupport

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Asks until there is an answer, 1,500 times, with a pause between.
///
/// It counts questions, not seconds, and keeps its thread: where hundreds of tests share two threads, one that gives
/// its own away may get it back after minutes, and would then have asked once or twice.
public func poll<Value>(_ ask: () async throws -> Value?) async throws -> Value {
    for _ in 0..<1_500 {
        if let value = try await ask() { return value }
        usleep(20_000)
    }
    throw TestSupportError("nothing happened in half a minute")
}
