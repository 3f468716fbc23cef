// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import ControlProtocol
import Glibc
import SSHWire

/// The socket that takes one packet a connection, from root alone.
struct ReportSocket: ~Copyable {
    /// Connections that wait in the kernel while we write to the disk: as many logins as sshd lets begin at once, and
    /// as many closes.
    private static let backlog: Int32 = 512

    let descriptor: Descriptor
    private let path: String

    /// Listens at a path whose folder is our own. What stands there from an earlier run goes: the lock of the session
    /// records says that no other agent runs.
    ///
    /// - Throws: `.unsafeFile` when something else than a socket stands there.
    init(path: String) throws(AgentError) {
        descriptor = try Self.listen(at: path)
        self.path = path
    }

    private static func listen(at path: String) throws(AgentError) -> Descriptor {
        if let kind = try SystemFiles().kind(path), kind != .other {
            throw AgentError(
                .unsafeFile, "\(path.escapedForTerminal): not a socket; an agent's socket belongs here")
        }
        let number = socket(
            AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard number >= 0 else { throw .system("cannot make the socket", path) }
        let descriptor = Descriptor(owning: number)
        // Under another name first: a hook that comes between bind and listen would be refused.
        let staged = path + ".new"
        unsafe unlink(staged)
        let bound = unsafe withUnixAddress(Array(staged.utf8)) { address, size in
            unsafe bind(number, address, size)
        }
        guard let bound else {
            throw AgentError(
                .invalidRequest, "\(path.escapedForTerminal): too long for a socket, at most 103 bytes",
                hint: "choose a shorter --runtime-folder")
        }
        guard bound == 0, unsafe chmod(staged, 0o600) == 0, Glibc.listen(number, backlog) == 0,
            unsafe rename(staged, path) == 0
        else { throw .system("cannot listen at", path) }
        return descriptor
    }

    /// Takes the socket's name away.
    func close() { unsafe unlink(path) }

    /// The next connection of root's, or of ours where we are somebody else; nil when nobody waits. Others are closed.
    func accept() -> Connection? {
        // As many strangers as may wait.
        for _ in 0..<Self.backlog {
            let number = daypass_accept(descriptor.number)
            if number < 0 {
                if errno == EINTR || errno == ECONNABORTED { continue }
                return nil
            }
            var (pid, uid): (pid_t, uid_t) = (0, .max)
            guard unsafe daypass_peer(number, &pid, &uid) == 0, uid == 0 || uid == geteuid() else {
                Glibc.close(number)
                continue
            }
            return Connection(number: number, pid: pid, uid: uid)
        }
        return nil
    }

    /// Somebody who has connected. Its owner closes it.
    struct Connection {
        let number: Int32
        let pid: pid_t
        let uid: uid_t

        /// What came.
        enum Packet {
            case nothing
            case ended
            case packet([UInt8])
            /// More than any report has: its beginning, and its size.
            case tooLong([UInt8], size: Int)
        }

        func receive(_ buffer: inout [UInt8]) -> Packet {
            while true {
                let count = unsafe recv(number, &buffer, buffer.count, Int32(MSG_TRUNC))
                if count < 0, errno == EINTR { continue }
                if count < 0 { return errno == EAGAIN || errno == EWOULDBLOCK ? .nothing : .ended }
                if count == 0 { return .ended }
                if count > buffer.count { return .tooLong(buffer, size: count) }
                return .packet(Array(buffer[..<count]))
            }
        }

        /// Answers, if there is room for it at once, and closes.
        func end(_ answer: [UInt8]? = nil) {
            if let answer {
                _ = unsafe send(number, answer, answer.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            Glibc.close(number)
        }
    }
}
