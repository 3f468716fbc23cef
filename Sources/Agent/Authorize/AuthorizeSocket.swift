// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import Glibc
import SSHWire

/// The socket of `daypass-session authorize`, which runs as an account of its own: one question a connection, answered
/// at once.
public final class AuthorizeSocket: ServicePart {
    public let name = "authorize"
    /// Questions at a time: sshd's MaxStartups lets 100 logins begin at once as a rule.
    private static let maximumConnections = 128
    /// Seconds that a connection may take to ask: the program asks at once.
    private static let seconds: UInt64 = 2

    private let answers: AuthorizeAnswers
    private let files: any HostFiles
    private let layout: HostLayout
    private let account: UInt32
    private let say: (String) -> Void
    /// Opened at the first ``tick(at:)``: by then no other agent runs that could be listening there.
    private var listener: Int32 = -1
    private var connections: [(connection: ReportSocket.Connection, since: Moment)] = []
    private var buffer = [UInt8](repeating: 0, count: AuthorizeAnswers.maximumBytes)

    /// Opens nothing yet.
    ///
    /// - Parameters:
    ///   - account: the number of the account that may ask at ``HostLayout/authorizeSocket``, beside root. Others could
    ///     keep it from being heard.
    ///   - say: takes a line about each certificate that is refused: whoever is kept out is told nothing.
    public init(
        _ files: any HostFiles, _ layout: HostLayout, account: UInt32, say: @escaping (String) -> Void
    ) {
        answers = AuthorizeAnswers(files, layout)
        self.say = say
        self.files = files
        self.layout = layout
        self.account = account
    }

    private func listen() throws(AgentError) -> Int32 {
        let folder = layout.authorizeFolder
        if try files.folder(folder) == nil {
            try files.makeFolder(folder, FileAttributes(mode: 0o711, owner: geteuid(), group: getegid()))
        }
        guard let found = try files.folder(folder), found.owner == geteuid(), found.mode & 0o022 == 0 else {
            throw AgentError(
                .unsafeFile,
                "\(folder.escapedForTerminal): others may change it, and the agent's socket belongs there",
                hint: "chown root:root \(folder.escapedForTerminal) && chmod 711 \(folder.escapedForTerminal)"
            )
        }
        // systemd makes it 0700 like the other folders (RuntimeDirectoryMode).
        guard unsafe chmod(folder, 0o711) == 0 else { throw .system("cannot open to others", folder) }
        let socket = try ReportSocket.listen(at: layout.authorizeSocket, mode: 0o666)
        // The number outlives the descriptor that closes itself; deinit closes it.
        return fcntl(socket.number, F_DUPFD_CLOEXEC, 3)
    }

    public var descriptors: [Int32] {
        (listener >= 0 ? [listener] : []) + connections.map(\.connection.number)
    }

    public func ready(_ descriptors: [Int32], at moment: Moment) throws(AgentError) -> [SessionEvent] {
        if descriptors.contains(listener) {
            while connections.count < Self.maximumConnections,
                let connection = ReportSocket.accept(listener, from: account)
            {
                connections.append((connection, moment))
            }
        }
        connections.removeAll { connection, _ in
            switch connection.receive(&buffer) {
            case .nothing: return false
            case .ended: connection.end()
            case .tooLong: connection.end(answer([]))
            case .packet(let bytes): connection.end(answer(bytes))
            }
            return true
        }
        return []
    }

    private func answer(_ packet: [UInt8]) -> [UInt8] {
        let (account, answer) = answers.decide(packet)
        if case .deny(let reason) = answer {
            let whom = account.map { " for account \($0.escapedForTerminal)" } ?? ""
            say("authorize: refused a certificate\(whom): \(reason.escapedForTerminal)")
        }
        return answer.encoded
    }

    public func tick(at moment: Moment) throws(AgentError) -> [SessionEvent] {
        if listener < 0 { listener = try listen() }
        connections.removeAll { connection, since in
            guard moment.seconds(since: since) >= Self.seconds else { return false }
            connection.end()
            return true
        }
        return []
    }

    deinit {
        for (connection, _) in connections { connection.end() }
        if listener >= 0 {
            unsafe unlink(layout.authorizeSocket)
            close(listener)
        }
    }
}

extension AuthorizeSocket {
    /// True when an agent takes questions there.
    public static func isAnswering(_ layout: HostLayout) -> Bool {
        let number = socket(
            AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard number >= 0 else { return false }
        let descriptor = Descriptor(owning: number)
        return unsafe withUnixAddress(Array(layout.authorizeSocket.utf8)) { address, size in
            unsafe connect(descriptor.number, address, size) == 0
        } ?? false
    }
}
