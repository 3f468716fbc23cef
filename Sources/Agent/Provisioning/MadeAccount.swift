// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// An account that was made for grants: the only kind that is ever locked or deleted.
struct MadeAccount: Sendable, Hashable {
    let name: LocalName
    /// Random; it stands in the account's comment too, so that another account of the same name is never taken for ours.
    let mark: String
    /// Since when nobody can log in to it, because no grant needs it; nil while one does.
    var locked: UnixTime?

    /// What the account's comment says.
    var comment: String { "daypass grants \(mark)" }

    /// True for the account that we made, whatever else has been called so since.
    func isSame(as entry: AccountEntry) -> Bool { entry.comment.split(separator: ",").first == comment[...] }

    init(name: LocalName, mark: String, locked: UnixTime? = nil) {
        self.name = name
        self.mark = mark
        self.locked = locked
    }

    private static let maximumBytes = 4 << 10

    /// Every account that we made, and files that are no records of one.
    ///
    /// - Throws: `.file` when they cannot be read.
    static func all(_ host: ProvisioningHost) throws(AgentError) -> (
        made: [LocalName: MadeAccount], problems: [String]
    ) {
        var made: [LocalName: MadeAccount] = [:]
        var problems: [String] = []
        for name in try host.files.list(host.layout.grantAccounts) ?? [] where !name.hasPrefix(".") {
            let path = "\(host.layout.grantAccounts)/\(name)"
            do throws(AgentError) {
                guard let content = try host.files.read(path, maximumBytes: maximumBytes) else { continue }
                let account = try MadeAccount(parsing: content.bytes, name: path)
                guard self.path(account.name, host.layout) == path else {
                    throw AgentError(
                        .damaged, "\(path.escapedForTerminal): the record of account \(account.name)")
                }
                made[account.name] = account
            } catch {
                guard error.code == .damaged || error.code == .unsafeFile else { throw error }
                problems.append(error.reason)
            }
        }
        return (made, problems)
    }

    static func path(_ name: LocalName, _ layout: HostLayout) -> String {
        "\(layout.grantAccounts)/\(name).json"
    }

    /// - Throws: `.damaged`.
    init(parsing bytes: [UInt8], name file: String) throws(AgentError) {
        do {
            var fields = try OperationFields(
                try JSONValue(parsing: bytes, maximumBytes: Self.maximumBytes, maximumDepth: 4))
            guard fields.take("format") == 1, let mark = try fields.text("mark", upTo: 64),
                mark.utf8.allSatisfy(\.isLetterOrDigit), !mark.isEmpty
            else { throw AgentError(.damaged, "format 1 and a mark expected") }
            self.init(
                name: try fields.name("name"), mark: mark, locked: try fields.time("locked"))
            try fields.finish()
        } catch {
            throw AgentError(.damaged, "\(file.escapedForTerminal): no record of an account: \(error)")
        }
    }

    var bytes: [UInt8] {
        var members: [JSONValue.Member] = [
            .init("format", 1), .init("name", .string(name.text)), .init("mark", .string(mark)),
        ]
        if let locked { members.append(.init("locked", .string(locked.description))) }
        return Array((JSONValue.object(members).text + "\n").utf8)
    }
}
