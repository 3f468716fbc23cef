// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import SSHWire

/// The address of a TCP port, as connect(2) takes it.
struct SocketAddress: Sendable, Hashable {
    let family: Int32
    /// A `sockaddr_in` or `sockaddr_in6`.
    let bytes: [UInt8]

    /// The most addresses of a name that are tried.
    static let maximumAddresses = 8

    /// Asks the system's resolver, which may take many seconds: not for the agent's loop.
    ///
    /// - Throws: `.network` when there is no address.
    static func resolve(host: String, port: UInt16) throws(AgentError) -> [SocketAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV
        // AI_ADDRCONFIG does not count the loopback: ::1 is an address where no other of IPv6 is.
        if (try? IPAddress(host)) != nil { unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV }
        var list: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else {
            let words = unsafe gai_strerror(status).map { unsafe String(cString: $0) } ?? "error \(status)"
            throw AgentError(.network, "\(host): \(words.lowercased())")
        }
        defer { unsafe freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = unsafe list
        while let entry = unsafe next, found.count < maximumAddresses {
            if let address = unsafe entry.pointee.ai_addr {
                let bytes = unsafe UnsafeRawBufferPointer(
                    start: address, count: Int(entry.pointee.ai_addrlen))
                found.append(unsafe SocketAddress(family: entry.pointee.ai_family, bytes: Array(bytes)))
            }
            unsafe next = entry.pointee.ai_next
        }
        guard !found.isEmpty else { throw AgentError(.network, "\(host): no address") }
        return found
    }

    /// Begins to connect; the socket becomes writable when that is decided.
    func connect() throws(AgentError) -> Socket {
        let number = socket(
            family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard number >= 0 else { throw AgentError(.network, "socket: \(describeSystemError(errno))") }
        let socket = Socket(owning: number)
        var on: Int32 = 1
        // A frame is written at once, and waits for no other.
        unsafe setsockopt(number, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        let status = unsafe bytes.withUnsafeBytes { buffer in
            guard let base = unsafe buffer.assumingMemoryBound(to: sockaddr.self).baseAddress else {
                return Int32(-1)
            }
            return unsafe Glibc.connect(number, base, socklen_t(buffer.count))
        }
        guard status == 0 || errno == EINPROGRESS || errno == EINTR else {
            throw AgentError(.network, "connect: \(describeSystemError(errno))")
        }
        return socket
    }
}

/// An open socket, closed with its last owner.
final class Socket {
    let number: Int32

    init(owning number: Int32) { self.number = number }

    deinit { close(number) }

    /// What became of connect(2); nil while it isn't decided.
    var connectError: Int32? {
        var polled = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&polled, 1, 0) > 0 else { return nil }
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(number, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno
    }
}
