// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire

/// What this host's administrator says about provisioning: `/etc/daypass/provisioning.json` (docs/provisioning.md).
public struct ProvisioningSettings: Sendable, Hashable {
    /// What becomes of an account that was made for grants, when the last of them has ended.
    public enum Removal: String, Sendable, CaseIterable {
        /// Nobody can log in to it; it stays.
        case lock
        /// Locked, and deleted with its home after ``keptDays``.
        case delete
        /// The same, its home kept in an archive.
        case archive
    }

    /// Accounts that are left alone beside those that always are.
    public var protected: [LocalName] = []
    public var removal: Removal = .lock
    /// How many days a locked account is kept.
    public var keptDays: UInt64 = 30
    /// The shell of accounts that are made.
    public var shell = "/bin/bash"
    /// The operations that are taken; nil for all.
    public var operations: [String]?

    public init() {}

    /// Whether an operation of ours is taken.
    func allows(_ command: DaypassCommand) -> Bool { operations?.contains(command.rawValue) ?? true }

    private static let maximumBytes = 64 << 10
    private static let maximumDays: Int64 = 3_650

    /// Reads the file; without one, what stands above holds.
    ///
    /// - Throws: `.unsafeFile` when others than root could have written it, `.damaged` for what cannot be read whole:
    ///   a protected account that is not read would not be protected.
    static func read(_ files: any HostFiles, _ layout: HostLayout, owner: FileOwner) throws(AgentError)
        -> ProvisioningSettings
    {
        let path = layout.provisioning
        guard let content = try readOwn(path, files, owner, maximumBytes: maximumBytes) else {
            return ProvisioningSettings()
        }
        do {
            let value = try JSONValue(parsing: content, maximumBytes: maximumBytes, maximumDepth: 4)
            return try ProvisioningSettings(value)
        } catch {
            throw AgentError(.damaged, "\(path): \(error)", hint: "docs/provisioning.md describes it")
        }
    }

    private init(_ value: JSONValue) throws(AgentError) {
        var fields = try OperationFields(value)
        for name in try fields.texts("protected", upTo: 1_024, each: 64) ?? [] {
            protected.append(try LocalName(name, field: "protected"))
        }
        if let text = try fields.text("removal", upTo: 64) {
            guard let removal = Removal(rawValue: text) else {
                throw AgentError(
                    .damaged, "removal: lock, delete or archive expected, and it is \(describe(text))")
            }
            self.removal = removal
        }
        if let value = fields.take("keptDays") {
            guard let days = value.number, (0...Self.maximumDays).contains(days) else {
                throw OperationFields.wrong("keptDays", "a number from 0 to \(Self.maximumDays)", value)
            }
            keptDays = days.magnitude
        }
        if let shell = try fields.text("shell", upTo: 256) {
            try checkPath(shell, "shell")
            self.shell = shell
        }
        operations = try fields.texts("operations", upTo: 64, each: 64)
        for name in operations ?? []
        where HostOperation.Kind(rawValue: name) == nil && P0Command(rawValue: name) == nil {
            throw AgentError(.damaged, "operations: \(describe(name)) is none")
        }
        try fields.finish()
    }
}

/// Reads a file of an administrator's that decides what is allowed; nil when there is none.
///
/// - Throws: `.unsafeFile` when others than root may write it.
func readOwn(
    _ path: String, _ files: any HostFiles, _ owner: FileOwner, maximumBytes: Int
) throws(AgentError) -> [UInt8]? {
    guard let content = try files.read(path, maximumBytes: maximumBytes) else { return nil }
    guard content.attributes.owner == owner.user, content.attributes.mode & 0o022 == 0 else {
        throw AgentError(
            .unsafeFile, "\(path.escapedForTerminal): others than root may change it",
            hint: "chown root:root \(path.escapedForTerminal); chmod 0644 \(path.escapedForTerminal)")
    }
    return content.bytes
}
