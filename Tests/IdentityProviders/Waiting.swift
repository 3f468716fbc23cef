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

/// A loopback port that nobody listens on: for programs that must be told one before they start.
func freePort() throws -> UInt16 {
    #if canImport(Glibc)
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #else
        let descriptor = socket(AF_INET, SOCK_STREAM, 0)
    #endif
    defer { _ = close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            guard unsafe bind(descriptor, generic, length) == 0 else { return Int32(-1) }
            return unsafe getsockname(descriptor, generic, &length)
        }
    }
    guard status == 0 else { throw TestSupportError("no loopback port: \(errno)") }
    return UInt16(bigEndian: address.sin_port)
}
