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

/// Sockets on this machine, as far as waiting for a server needs them.
public enum LocalSocket {
    #if canImport(Glibc)
        private static let stream = Int32(SOCK_STREAM.rawValue)
    #else
        private static let stream = SOCK_STREAM
    #endif

    /// A loopback TCP port that was free a moment ago; another process may take it before it is used.
    public static func freePort() throws -> UInt16 { try port(of: bound(port: 0, isShared: false)) }

    /// A loopback TCP port that nobody else is given, also while the server that it is for does not run.
    ///
    /// A server that sets SO_REUSEADDR can listen there; until one does, whoever connects is refused.
    public final class HeldPort: Sendable {
        public let number: UInt16
        private let holder: Int32

        public init() throws {
            let socket = try LocalSocket.bound(port: 0, isShared: true)
            number = try LocalSocket.port(of: socket)
            holder = socket.release()
        }

        deinit { _ = close(holder) }
    }

    /// A socket that listens on a loopback port; the caller closes it.
    static func listen(port: UInt16) throws -> Int32 {
        let server = try bound(port: port, isShared: true)
        guard systemListen(server.number, 64) == 0 else {
            throw TestSupportError.system("listen at 127.0.0.1:\(port)")
        }
        return server.release()
    }

    /// - Parameters:
    ///   - port: 0 for one that the kernel chooses.
    ///   - isShared: whether others that also want it so may have the same port; only one of them can listen.
    private static func bound(port: UInt16, isShared: Bool) throws -> Descriptor {
        let socket = try open(AF_INET)
        var yes: Int32 = isShared ? 1 : 0
        _ = unsafe setsockopt(
            socket.number, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = loopback(port: port)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        guard unsafe withGeneric(&address, { unsafe bind(socket.number, $0, size) }) == 0 else {
            throw TestSupportError.system("bind 127.0.0.1:\(port)")
        }
        return socket
    }

    private static func port(of socket: borrowing Descriptor) throws -> UInt16 {
        var address = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let named = unsafe withGeneric(&address) { unsafe getsockname(socket.number, $0, &length) }
        guard named == 0 else { throw TestSupportError.system("getsockname") }
        return UInt16(bigEndian: address.sin_port)
    }

    /// What a server on a loopback port says first, up to 255 bytes; `nil` when nobody listens or nothing comes.
    public static func greeting(port: UInt16, timeout: Duration) -> String? {
        guard let client = try? open(AF_INET) else { return nil }
        var address = loopback(port: port)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        guard unsafe withGeneric(&address, { unsafe connect(client.number, $0, size) }) == 0 else {
            return nil
        }
        let events = waitForEvents(
            on: [(client.number, Int32(POLLIN))], milliseconds: Deadline(after: timeout).milliseconds)
        guard events[0] != 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 255)
        let count = unsafe recv(client.number, &bytes, bytes.count, 0)
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    /// True when something listens on a Unix socket.
    static func isAnswering(path: String) -> Bool {
        guard let client = try? open(AF_UNIX) else { return false }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = Array(path.utf8)
        let fits = unsafe withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard name.count < room.count else { return false }
            unsafe room.copyBytes(from: name)
            return true
        }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        guard fits else { return false }
        return unsafe withGeneric(&address) { unsafe connect(client.number, $0, size) } == 0
    }

    private static func open(_ family: Int32) throws -> Descriptor {
        try Spawn.gate.withLock { _ in
            let number = socket(family, stream, 0)
            guard number >= 0 else { throw TestSupportError.system("socket") }
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            return Descriptor(adopting: number)
        }
    }

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    private static func withGeneric<Address, Result>(
        _ address: inout Address, _ body: (UnsafeMutablePointer<sockaddr>) -> Result
    ) -> Result {
        unsafe withUnsafeMutablePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0) }
        }
    }
}

/// listen(2), which a method of the same name hides.
private func systemListen(_ number: Int32, _ backlog: Int32) -> Int32 { listen(number, backlog) }
