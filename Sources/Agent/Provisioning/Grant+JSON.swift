// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension Grant {
    /// Reads a grant of ours.
    init(_ fields: inout OperationFields) throws(AgentError) {
        self.init(try fields.grantID("id"), account: try fields.name("user"))
        createsAccount = try fields.flag("createAccount") ?? true
        keys = try Self.keys("keys", &fields)
        principals = try Self.principals(&fields) ?? []
        sudo = try Self.sudo(&fields)
        for name in try fields.texts("groups", upTo: OperationFields.Limit.groups, each: 1_024) ?? [] {
            let group = try LocalName(name, field: "groups")
            guard !groups.contains(group) else {
                throw AgentError(.invalidRequest, "groups: \(group) twice")
            }
            groups.append(group)
        }
        notBefore = try fields.time("notBefore")
        until = try fields.time("until")
        guard until != nil else { throw OperationFields.missing("until") }
        try checkTimes(start: "notBefore", end: "until")
        guard opensAccount || sudo != nil || !groups.isEmpty else {
            throw AgentError(.invalidRequest, "keys, principals, sudo or groups: the grant gives nothing")
        }
    }

    /// - Throws: `.invalidRequest` for a time that never comes, or a longer one than a grant may have.
    func checkTimes(start: StaticString, end: StaticString) throws(AgentError) {
        guard let until else { return }
        guard notBefore ?? .always < until else {
            throw AgentError(.invalidRequest, "\(end): \(until), which is not after \(start)")
        }
        guard let notBefore else { return }
        guard until.seconds - notBefore.seconds <= Self.maximumSeconds else {
            throw AgentError(
                .invalidRequest, "\(end): \(until), over \(Self.maximumSeconds / 86_400) days after \(start)")
        }
    }

    fileprivate static func keys(_ name: StaticString, _ fields: inout OperationFields) throws(AgentError)
        -> [PublicKey]
    {
        var keys: [PublicKey] = []
        let lines = try fields.texts(
            name.description, upTo: OperationFields.Limit.keys, each: OperationFields.Limit.keyBytes)
        for line in lines ?? [] {
            let key = try parseKey(line, field: name)
            guard !keys.contains(key) else {
                throw AgentError(.invalidRequest, "\(name): \(key.fingerprint) twice")
            }
            keys.append(key)
        }
        return keys
    }

    static func principals(_ fields: inout OperationFields) throws(AgentError) -> [ExactText]? {
        let names = try fields.texts(
            "principals", upTo: OperationFields.Limit.principals, each: Limits.principalBytes)
        guard let names else { return nil }
        var principals: [ExactText] = []
        for name in names {
            let principal = ExactText(name)
            do throws(AgentError) {
                try AccountPrincipals.check(principal)
                // They stand between quotes in a list with commas.
                _ = try KeyOptions(checking: [.certAuthority, .principals([principal])])
            } catch {
                throw AgentError(.invalidRequest, "principals: \(error.reason)")
            }
            guard !principals.contains(principal) else {
                throw AgentError(.invalidRequest, "principals: \(describe(name)) twice")
            }
            principals.append(principal)
        }
        return principals
    }

    private static func sudo(_ fields: inout OperationFields) throws(AgentError) -> SudoRule? {
        guard let value = fields.take("sudo") else { return nil }
        switch value {
        case .bool(true): return SudoRule()
        case .bool(false): return nil
        case .object:
            var parts = try OperationFields(value)
            var runAs: LocalName?
            if let name = try parts.text("runAs", upTo: 1_024) {
                runAs = try LocalName(name, field: "sudo.runAs")
            }
            var commands: [SudoRule.Command] = []
            let texts = try parts.texts(
                "commands", upTo: OperationFields.Limit.commands, each: OperationFields.Limit.commandBytes)
            // An empty list would be read as "every program", which is the opposite of what it looks like.
            guard texts?.isEmpty != true else {
                throw AgentError(.invalidRequest, "sudo.commands: empty; leave it away for every program")
            }
            for text in texts ?? [] { commands.append(try SudoRule.Command(text)) }
            try parts.finish()
            return SudoRule(runAs: runAs, commands: commands)
        default: throw OperationFields.wrong("sudo", "true, false or an object", value)
        }
    }

    // MARK: As records hold it

    /// The grant as its operation spells it, with what only P0's parts have.
    var json: JSONValue {
        var members: [JSONValue.Member] = [
            .init("id", .string(id.text)), .init("user", .string(account.text)),
            .init("createAccount", .bool(createsAccount)),
        ]
        func add(_ name: String, _ texts: [String]) {
            if !texts.isEmpty { members.append(.init(name, .array(texts.map { .string($0) }))) }
        }
        add("keys", keys.map(\.text))
        add("authorities", authorities.map(\.text))
        add("principals", principals.map(\.string))
        if let sudo {
            var parts: [JSONValue.Member] = []
            if let runAs = sudo.runAs { parts.append(.init("runAs", .string(runAs.text))) }
            if !sudo.commands.isEmpty {
                parts.append(.init("commands", .array(sudo.commands.map { .string($0.text) })))
            }
            members.append(.init("sudo", parts.isEmpty ? true : .object(parts)))
        }
        add("groups", groups.map(\.text))
        if let notBefore { members.append(.init("notBefore", .string(notBefore.description))) }
        if let until { members.append(.init("until", .string(until.description))) }
        return .object(members)
    }

    /// Reads what ``json`` wrote.
    init(recorded value: JSONValue, _ part: Part) throws(AgentError) {
        var fields = try OperationFields(value)
        if part == .whole {
            try self.init(&fields)
        } else {
            self.init(try fields.grantID("id"), part, account: try fields.name("user"))
            createsAccount = try fields.flag("createAccount") ?? false
            keys = try Self.keys("keys", &fields)
            authorities = try Self.keys("authorities", &fields)
            sudo = try Self.sudo(&fields)
            notBefore = try fields.time("notBefore")
            until = try fields.time("until")
        }
        try fields.finish()
    }
}

extension KeyOptions {
    /// Options that are checked, in the agent's own errors.
    init(checking options: [KeyOption]) throws(AgentError) {
        do throws(SSHWireError) {
            try self.init(options)
        } catch {
            throw AgentError(.invalidRequest, error.reason)
        }
    }
}
