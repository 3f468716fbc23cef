// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A small HTTP server on a loopback port that keeps the bodies of what is posted to it, one request a connection.
public final class PostReceiver: Sendable {
    public let port: UInt16
    private let listener: Int32
    private let state: Mutex<(bodies: [String], status: Int, isStopped: Bool)>

    /// The largest request, in bytes.
    private static let maximumBytes = 1 << 20

    /// - Parameters:
    ///   - port: where to listen; a free one by default.
    ///   - status: what is answered.
    public init(port: UInt16? = nil, status: Int = 200) throws {
        let port = try port ?? LocalSocket.freePort()
        self.port = port
        state = Mutex((bodies: [], status: status, isStopped: false))
        listener = try LocalSocket.listen(port: port)
        Thread.detachNewThread { [self] in serve() }
    }

    /// The bodies so far, in the order in which they came.
    public var bodies: [String] { state.withLock { $0.bodies } }

    /// What is answered from now on.
    public func answer(_ status: Int) { state.withLock { $0.status = status } }

    /// Takes no further connection.
    public func stop() {
        let isFirst = state.withLock { state in
            defer { state.isStopped = true }
            return !state.isStopped
        }
        // Closing alone would not wake accept(2).
        if isFirst { _ = shutdown(listener, Int32(SHUT_RDWR)) }
    }

    private func serve() {
        while true {
            let connection = accept(listener, nil, nil)
            if connection < 0, errno == EINTR { continue }
            guard connection >= 0 else { break }
            _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
            if let body = Self.read(connection) {
                let status = state.withLock { state in
                    state.bodies.append(body)
                    return state.status
                }
                let answer = "HTTP/1.1 \(status) Status\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                _ = unsafe send(connection, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
            }
            _ = close(connection)
        }
        _ = close(listener)
    }

    /// A request's body, as long as its head says; nil for what is none.
    private static func read(_ connection: Int32) -> String? {
        var bytes: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 64 << 10)
        let end = Array("\r\n\r\n".utf8)
        while bytes.count <= maximumBytes {
            let text = String(decoding: bytes, as: UTF8.self)
            if let head = text.range(of: String(decoding: end, as: UTF8.self)) {
                let lines = text[..<head.lowerBound].lowercased().components(separatedBy: "\r\n")
                let length = lines.first { $0.hasPrefix("content-length:") }
                    .flatMap {
                        Int($0.dropFirst("content-length:".count).trimmingCharacters(in: .whitespaces))
                    }
                let body = text[head.upperBound...]
                if body.utf8.count >= length ?? 0 { return String(body) }
            }
            let count = unsafe recv(connection, &room, room.count, 0)
            guard count > 0 else { return nil }
            bytes += room[..<count]
        }
        return nil
    }
}
