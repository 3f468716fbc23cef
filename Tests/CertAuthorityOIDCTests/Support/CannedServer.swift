// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Synchronization
import TestSupport

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

import class Foundation.Thread

// The same numbers have other types elsewhere.
#if canImport(Glibc)
    private let stream = Int32(SOCK_STREAM.rawValue)
    private let bothWays = Int32(SHUT_RDWR)
    private let quietly = Int32(MSG_NOSIGNAL)
#else
    private let stream = SOCK_STREAM
    private let bothWays = SHUT_RDWR
    private let quietly: Int32 = 0
#endif

/// A server on a loopback port that answers each connection with the same bytes, or never.
final class CannedServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let served = Mutex(0)

    /// How many connections it had.
    var connections: Int { served.withLock { $0 } }

    /// - Parameters:
    ///   - answer: all that is sent; nil for a server that takes connections and says nothing.
    ///   - pause: how long it waits before every byte.
    init(_ answer: [UInt8]?, pause: useconds_t = 0) throws {
        listener = socket(AF_INET, stream, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(listener, pointer, length) == 0 && listen(listener, 8) == 0
                    && getsockname(listener, pointer, &length) == 0
            }
        }
        guard isBound else { throw TestSupportError("no loopback port") }
        port = UInt16(bigEndian: address.sin_port)
        guard let answer else { return }
        Thread.detachNewThread { [weak self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                self?.served.withLock { $0 += 1 }
                var request = [UInt8](repeating: 0, count: 4_096)
                _ = unsafe recv(connection, &request, request.count, 0)
                if pause == 0 {
                    var rest = answer[...]
                    while !rest.isEmpty {
                        let count = unsafe rest.withUnsafeBytes {
                            unsafe send(connection, $0.baseAddress, $0.count, quietly)
                        }
                        guard count > 0 else { break }
                        rest = rest.dropFirst(count)
                    }
                } else {
                    for byte in answer {
                        var byte = byte
                        usleep(pause)
                        guard unsafe send(connection, &byte, 1, quietly) == 1 else { break }
                    }
                }
                close(connection)
            }
        }
    }

    deinit {
        // It wakes the thread in accept, which close alone would not.
        shutdown(listener, bothWays)
        close(listener)
    }
}
