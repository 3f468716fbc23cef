// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

extension ChangeJournal {
    /// The form's number, its first member.
    private static let version: Int64 = 1

    /// The journal as a file's content.
    var encoded: [UInt8] {
        let value = JSONValue.object([
            .init("daypass_trust_journal", .number(Self.version)),
            .init("id", .string(id)),
            .init("action", .string(action.rawValue)),
            .init("phase", .string(phase.rawValue)),
            .init("deadline", .number(Int64(clamping: deadline))),
            .init("sshd", daemon.json),
            .init("steps", .array(steps.map(\.json))),
            .init("temporary", .array(temporaries.map(\.json))),
            .init("proof_folder", .string(proofFolder)),
        ])
        return Array(value.text.utf8) + [UInt8(ascii: "\n")]
    }

    /// Reads what ``encoded`` made.
    ///
    /// - Throws: `.damaged` for anything else.
    init(parsing bytes: [UInt8]) throws(AgentError) {
        let value: JSONValue
        do {
            value = try JSONValue(parsing: bytes, maximumBytes: Self.maximumBytes)
        } catch {
            throw AgentError(.damaged, "no journal of a change: \(error.reason)")
        }
        guard value["daypass_trust_journal"]?.number == Self.version else {
            throw AgentError(.damaged, "no journal of a change of form \(Self.version)")
        }
        let members = Members(value)
        guard let action = Action(rawValue: try members.text("action")),
            let phase = Phase(rawValue: try members.text("phase"))
        else {
            throw AgentError(.damaged, "journal: an unknown action or phase")
        }
        var steps: [Step] = []
        for step in try members.array("steps") { steps.append(try Step(step)) }
        var temporaries: [Temporary] = []
        for temporary in try members.array("temporary") {
            let members = Members(temporary)
            guard let proof = try members.content("proof") else { throw members.lacks("proof") }
            temporaries.append(
                Temporary(path: try members.path("path"), proof: proof, final: try members.content("final")))
        }
        self.init(
            id: try members.text("id"), action: action,
            deadline: UInt64(clamping: try members.number("deadline")),
            daemon: try Daemon(try members.value("sshd")), steps: steps,
            proofFolder: try members.path("proof_folder"),
            phase: phase, temporaries: temporaries)
    }
}

extension ChangeJournal.Daemon {
    fileprivate var json: JSONValue {
        .object([
            .init("binary", .string(binary)),
            .init("configuration", .string(configuration)),
            .init("reload_command", reloadCommand.map { .array($0.map { .string($0) }) } ?? .null),
            .init("offline", .bool(isOffline)),
        ])
    }

    fileprivate init(_ value: JSONValue) throws(AgentError) {
        let members = Members(value)
        self.init(
            binary: try members.path("binary"), configuration: try members.path("configuration"),
            reloadCommand: try members.value("reload_command") == .null
                ? nil : try members.texts("reload_command"),
            isOffline: try members.truth("offline"))
    }
}

extension ChangeJournal.Step {
    fileprivate var json: JSONValue {
        var list: [JSONValue.Member]
        switch change {
        case .folder(let path, let before, let after):
            list = [
                .init("folder", .string(path)), .init("before", before?.json ?? .null),
                .init("after", after?.json ?? .null),
            ]
        case .file(let path, let before, let after):
            list = [
                .init("file", .string(path)), .init("before", before?.json ?? .null),
                .init("after", after?.json ?? .null),
            ]
        }
        list += [.init("referred", .bool(isReferred)), .init("purpose", .string(purpose))]
        return .object(list)
    }

    fileprivate init(_ value: JSONValue) throws(AgentError) {
        let members = Members(value)
        let change: HostChange
        if value["folder"] != nil {
            change = .folder(
                path: try members.path("folder"), before: try members.attributes("before"),
                after: try members.attributes("after"))
        } else {
            change = .file(
                path: try members.path("file"), before: try members.content("before"),
                after: try members.content("after"))
        }
        self.init(change, try members.text("purpose"), isReferred: try members.truth("referred"))
    }
}

extension ChangeJournal.Temporary {
    fileprivate var json: JSONValue {
        .object([
            .init("path", .string(path)), .init("proof", proof.json), .init("final", final?.json ?? .null),
        ])
    }
}

extension FileAttributes {
    fileprivate var json: JSONValue { .object(members) }

    fileprivate var members: [JSONValue.Member] {
        [
            .init("mode", .number(Int64(mode))), .init("owner", .number(Int64(owner))),
            .init("group", .number(Int64(group))),
            .init("label", securityLabel.map { .string(Base64.encode($0)) } ?? .null),
        ]
    }
}

extension FileContent {
    fileprivate var json: JSONValue {
        .object(attributes.members + [.init("content", .string(Base64.encode(bytes)))])
    }
}

/// The members of an object that is to be a part of a journal.
private struct Members {
    private let value: JSONValue

    init(_ value: JSONValue) { self.value = value }

    func lacks(_ name: String) -> AgentError { AgentError(.damaged, "journal: no or another \"\(name)\"") }

    func value(_ name: String) throws(AgentError) -> JSONValue {
        guard let member = value[name] else { throw lacks(name) }
        return member
    }

    func text(_ name: String) throws(AgentError) -> String {
        guard let text = try value(name).string else { throw lacks(name) }
        return text
    }

    /// An absolute path: root acts on it.
    func path(_ name: String) throws(AgentError) -> String {
        let path = try text(name)
        guard path.hasPrefix("/"), !path.utf8.contains(0) else { throw lacks(name) }
        return path
    }

    func number(_ name: String) throws(AgentError) -> Int64 {
        guard let number = try value(name).number else { throw lacks(name) }
        return number
    }

    func truth(_ name: String) throws(AgentError) -> Bool {
        guard let truth = try value(name).bool else { throw lacks(name) }
        return truth
    }

    func array(_ name: String) throws(AgentError) -> [JSONValue] {
        guard let array = try value(name).array else { throw lacks(name) }
        return array
    }

    func texts(_ name: String) throws(AgentError) -> [String] {
        var texts: [String] = []
        for element in try array(name) {
            guard let text = element.string else { throw lacks(name) }
            texts.append(text)
        }
        return texts
    }

    func attributes(_ name: String) throws(AgentError) -> FileAttributes? {
        let member = try value(name)
        if member == .null { return nil }
        let members = Members(member)
        guard let mode = UInt32(exactly: try members.number("mode")), mode <= 0o7777,
            let owner = UInt32(exactly: try members.number("owner")),
            let group = UInt32(exactly: try members.number("group"))
        else { throw lacks(name) }
        let label = try members.value("label")
        return FileAttributes(
            mode: mode, owner: owner, group: group,
            securityLabel: label == .null ? nil : try members.bytes("label"))
    }

    func content(_ name: String) throws(AgentError) -> FileContent? {
        guard let attributes = try attributes(name) else { return nil }
        return FileContent(try Members(try value(name)).bytes("content"), attributes)
    }

    private func bytes(_ name: String) throws(AgentError) -> [UInt8] {
        let text = try text(name)
        do {
            return try Base64.decode("journal", text)
        } catch {
            throw AgentError(.damaged, error.reason)
        }
    }
}
