// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// P0's commands, in its spelling.
enum P0Command: String, CaseIterable {
    case provisionUser, provisionAuthorizedKeys, provisionCAKeys, provisionSudo, provisionSession
}

extension HostOperation {
    /// Reads one of P0's commands: `userName`, `action`, `requestId`, and what the command needs.
    ///
    /// Empty texts count as not given, and so does the key "N/A". Times are ours to hold: with `endTime` the host takes
    /// the access back by itself.
    static func read(_ command: P0Command, _ fields: inout OperationFields) throws(AgentError)
        -> HostOperation
    {
        let account = try fields.name("userName")
        let action = try given("action", &fields) ?? "grant"
        guard action == "grant" || action == "revoke" else {
            throw AgentError(
                .invalidRequest, "action: grant or revoke expected, and it is \(describe(action))")
        }
        if command == .provisionSession { return try readSession(account, action, &fields) }
        let id = try fields.grantID("requestId")
        guard action == "grant" else { return .revoke(id, parts: [command.part]) }
        var grant = Grant(id, command.part, account: account)
        switch command {
        case .provisionUser: grant.createsAccount = true
        case .provisionAuthorizedKeys:
            guard let line = try given("publicKey", &fields) else {
                return .nothing("no public key is given: skipping")
            }
            grant.keys = [try parseKey(line, field: "publicKey")]
        case .provisionCAKeys:
            guard let line = try given("caPublicKey", &fields) else {
                throw OperationFields.missing("caPublicKey")
            }
            grant.authorities = [try parseKey(line, field: "caPublicKey")]
        case .provisionSudo:
            let runAs = try given("runAsUser", &fields)
            guard try fields.flag("sudo") ?? false || runAs != nil else {
                return .nothing("sudo is not asked for: skipping")
            }
            var rule = SudoRule()
            if let runAs, runAs != "ALL" { rule = SudoRule(runAs: try LocalName(runAs, field: "runAsUser")) }
            grant.sudo = rule
        case .provisionSession: break
        }
        grant.notBefore = try readTime("startTime", &fields)
        grant.until = try readTime("endTime", &fields)
        try grant.checkTimes(start: "startTime", end: "endTime")
        return .grant(grant)
    }

    private static func readSession(
        _ account: LocalName, _ action: String, _ fields: inout OperationFields
    ) throws(AgentError) -> HostOperation {
        guard action == "revoke" else {
            throw AgentError(
                .invalidRequest, "action: provisionSession knows revoke only, and it is \(describe(action))")
        }
        var selection = SessionSelection(account: account)
        if let id = try given("requestId", &fields) { selection.grant = try GrantID(id, field: "requestId") }
        return .killSessions(selection, reason: "provisionSession revoke")
    }

    /// A text that says something.
    private static func given(_ name: String, _ fields: inout OperationFields) throws(AgentError) -> String? {
        let text = try fields.text(name, upTo: OperationFields.Limit.keyBytes)
        return text?.isEmpty ?? true || text == "N/A" ? nil : text
    }

    private static func readTime(_ name: String, _ fields: inout OperationFields) throws(AgentError)
        -> UnixTime?
    {
        if let text = fields.peek(name)?.string, text.isEmpty {
            _ = fields.take(name)
            return nil
        }
        return try fields.time(name)
    }
}

extension P0Command {
    /// The part of a request that the command is about.
    fileprivate var part: Grant.Part {
        switch self {
        case .provisionUser: .user
        case .provisionAuthorizedKeys: .keys
        case .provisionCAKeys: .authorities
        case .provisionSudo, .provisionSession: .sudo
        }
    }
}
