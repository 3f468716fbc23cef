// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A Unix socket on which orders come from one account, one connection after the other.
struct SignerListener {
    private let descriptor: Int32
    private let client: uid_t

    /// Listens at `path`, in the place of a socket that nobody listens at any more.
    ///
    /// - Parameter client: the account that is answered; any other is hung up on, root too. The socket's mode is 0600 when it
    ///   is this process's own, else 0660: the group's, as the folder it lies in is.
    init(path: String, client: uid_t) throws {
        self.client = client
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path) - 1
        guard !bytes.isEmpty, bytes.count <= room, !bytes.contains(0) else {
            throw CertAuthorityError(
                .file,
                "socket \(path.escapedForTerminal): 1 to \(room) bytes fit an address of a Unix socket",
                hint: "name a shorter one with --socket")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        #if canImport(Glibc)
            descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #else
            descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = unsafe unlink(path)
        // umask is 077 since the program began: nobody else can connect, not even for a moment.
        let status = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        let isOpened = unsafe client == geteuid() || chmod(path, 0o660) == 0
        guard descriptor >= 0, status == 0, isOpened, listen(descriptor, 8) == 0 else {
            throw CertAuthorityError(
                .file, "socket \(path.escapedForTerminal): \(describeSystemError(errno))")
        }
    }

    /// Answers orders until the process ends.
    func serve(_ answer: (SigningOrder) -> Result<[Signature], CertAuthorityError>) throws {
        while true {
            let connection = accept(descriptor, nil, nil)
            if connection < 0 {
                guard errno == EINTR || errno == ECONNABORTED else {
                    throw CertAuthorityError(.file, "signer's socket: \(describeSystemError(errno))")
                }
                continue
            }
            guard Self.peer(connection) == client else {
                _ = close(connection)
                continue
            }
            while let body = Self.readFrame(connection), let order = try? SigningOrder(body: body.span) {
                let reply = SigningAnswer(number: order.number, result: answer(order)).frame
                guard Self.write(reply, to: connection) else { break }
            }
            _ = close(connection)
        }
    }

    /// Ends the process when whoever started it has gone.
    static func endWithStandardInput() {
        var thread = pthread_t()
        _ = unsafe pthread_create(
            &thread, nil,
            { _ in
                var byte: UInt8 = 0
                while true {
                    let count = unsafe read(STDIN_FILENO, &byte, 1)
                    if count == 0 || count < 0 && errno != EINTR { exit(0) }
                }
            }, nil)
    }

    /// The account that connected; nil when that can't be known.
    private static func peer(_ connection: Int32) -> uid_t? {
        #if canImport(Darwin)
            var (user, group) = (uid_t.max, gid_t.max)
            return unsafe getpeereid(connection, &user, &group) == 0 ? user : nil
        #else
            // struct ucred (unix(7)), which Swift's Glibc does not show: process, user, group.
            var peer: (Int32, UInt32, UInt32) = (0, .max, .max)
            var length = socklen_t(MemoryLayout.size(ofValue: peer))
            let status = unsafe getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &length)
            return status == 0 ? peer.1 : nil
        #endif
    }

    /// A frame's body; nil at the end and for what is no frame.
    private static func readFrame(_ descriptor: Int32) -> [UInt8]? {
        guard let head = readExactly(4, from: descriptor) else { return nil }
        let length = head.reduce(0) { $0 << 8 | Int($1) }
        // 8 bytes a place and the number: an order is much smaller than an answer.
        guard length <= 8 + 8 * SigningDesk.maximumOrder else { return nil }
        return readExactly(length, from: descriptor)
    }

    private static func readExactly(_ count: Int, from descriptor: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let read = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe recv(descriptor, buffer.baseAddress.map { unsafe $0 + done }, count - done, 0)
            }
            if read > 0 { done += read } else if read == 0 || errno != EINTR { return nil }
        }
        return bytes
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var done = 0
        while done < bytes.count {
            let written = unsafe bytes.withUnsafeBytes { buffer in
                // SIGPIPE is ignored by the whole program.
                unsafe send(descriptor, buffer.baseAddress.map { unsafe $0 + done }, bytes.count - done, 0)
            }
            if written > 0 { done += written } else if errno != EINTR { return false }
        }
        return true
    }
}
