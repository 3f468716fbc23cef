// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
public import SSHWire

/// What the control plane may ask of a host: nothing else is done, and no program of its choice is run
/// (docs/formats/host-operations.md).
public enum HostOperation: Sendable, Hashable {
    /// Gives access, or says that it is given.
    case grant(Grant)
    /// Takes back one grant, or every part of one request of P0's.
    case revoke(GrantID, parts: [Grant.Part])
    /// Says who may enter an account by certificate, for good; nobody when there are none.
    case principals(LocalName, [ExactText])
    case listSessions
    case killSessions(SessionSelection, reason: String)
    case scan
    case status
    /// Replaces the list of what is revoked.
    case revocations(RevocationOrder)
    /// Replaces the CAs whose certificates sshd takes.
    case trust(TrustOrder)
    /// Keeps and cosigns a checkpoint of the log.
    case checkpoint(WitnessOrder)
    /// P0's "nothing to do": a key that is not given, sudo that is not asked for.
    case nothing(String)

    /// Which sessions are meant: those for which all that is given is so.
    public struct SessionSelection: Sendable, Hashable {
        /// The session's whole ID, 32 hexadecimal digits.
        public var session: String?
        public var account: LocalName?
        /// The grant that opened them.
        public var grant: GrantID?
    }

    /// Reads what a call holds.
    ///
    /// Fields that are not known are passed over in P0's commands, which its servers extend, and refused in ours.
    ///
    /// - Throws: `.invalidRequest`, naming the field, its limit and what came.
    public init(_ data: JSONValue) throws(AgentError) {
        var fields = try OperationFields(data)
        guard let command = try fields.text("command", upTo: 64) else {
            throw OperationFields.missing("command")
        }
        if let command = P0Command(rawValue: command) {
            self = try Self.read(command, &fields)
            return
        }
        guard let kind = Kind(rawValue: command) else {
            throw AgentError(.invalidRequest, "unknown command: \(command.escapedForTerminal)")
        }
        // By this a repeated call is known before it comes here.
        _ = try fields.text("requestId", upTo: TunnelCall.maximumRequestIDBytes)
        self = try Self.read(kind, &fields)
        try fields.finish()
    }

    /// Our commands.
    public typealias Kind = DaypassCommand

    private static func read(_ kind: Kind, _ fields: inout OperationFields) throws(AgentError)
        -> HostOperation
    {
        switch kind {
        case .grant: return .grant(try Grant(&fields))
        case .revokeGrant: return .revoke(try fields.grantID("id"), parts: Grant.Part.allCases)
        case .principals:
            let account = try fields.name("user")
            return .principals(account, try Grant.principals(&fields) ?? [])
        case .listSessions: return .listSessions
        case .killSessions: return try readKill(&fields)
        case .scan: return .scan
        case .status: return .status
        case .revocations: return .revocations(try RevocationOrder(&fields))
        case .trust: return .trust(try TrustOrder(&fields))
        case .checkpoint: return .checkpoint(try WitnessOrder(&fields))
        }
    }

    private static func readKill(_ fields: inout OperationFields) throws(AgentError) -> HostOperation {
        var selection = SessionSelection()
        if let session = try fields.text("session", upTo: 64) {
            guard session.utf8.count == 32, session.utf8.allSatisfy({ "0123456789abcdef".utf8.contains($0) })
            else {
                throw AgentError(
                    .invalidRequest,
                    "session: 32 lower-case hexadecimal digits expected, and it is \(describe(session))")
            }
            selection.session = session
        }
        if let user = try fields.text("user", upTo: 1_024) {
            selection.account = try LocalName(user, field: "user")
        }
        if let grant = try fields.text("grant", upTo: 1_024) {
            selection.grant = try GrantID(grant, field: "grant")
        }
        guard selection != SessionSelection() else {
            throw AgentError(.invalidRequest, "session, user or grant: one of them must be there")
        }
        guard let reason = try fields.text("reason", upTo: OperationFields.Limit.reasonBytes), !reason.isEmpty
        else {
            throw OperationFields.missing("reason")
        }
        guard !reason.holdsControlCharacters else {
            throw AgentError(.invalidRequest, "reason: control characters in it")
        }
        return .killSessions(selection, reason: reason)
    }
}
