// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The folder of grants' records, one file a grant.
struct GrantStore: Sendable {
    /// The records of one host: as many files as a folder may have before each look at it takes long.
    static let maximumCount = 8_192
    /// How long the record of an ended grant is kept, in seconds: a server that repeats a call for a week has given up.
    static let keptSeconds: UInt64 = 7 * 86_400

    let files: any HostFiles
    let layout: HostLayout
    let owner: FileOwner

    /// What is in the folder.
    struct Content: Sendable, Hashable {
        var records: [GrantRecord] = []
        /// Files that are no records, and why: one line each, escaped.
        var problems: [String] = []
    }

    func path(of grant: Grant) -> String { "\(layout.grants)/\(grant.fileName).json" }

    /// Reads all records, in the order of their files' names. What cannot be read as a record is none.
    ///
    /// - Throws: `.file` when the folder or a file cannot be read, which says nothing about what should be.
    func read() throws(AgentError) -> Content {
        var content = Content()
        let names = try files.list(layout.grants) ?? []
        guard names.count <= 2 * Self.maximumCount else {
            throw AgentError(.file, "\(layout.grants): \(names.count) files, over \(2 * Self.maximumCount)")
        }
        for name in names where !name.hasPrefix(".") {
            let path = "\(layout.grants)/\(name)"
            do throws(AgentError) {
                guard let file = try files.read(path, maximumBytes: GrantRecord.maximumBytes) else {
                    continue
                }
                let record = try GrantRecord(parsing: file.bytes, name: path)
                // A copy under another name would give what it says a second time.
                guard self.path(of: record.grant) == path else {
                    throw AgentError(
                        .damaged,
                        "\(path.escapedForTerminal): the record of grant \(record.grant.id), not this file's")
                }
                content.records.append(record)
            } catch {
                guard error.code == .damaged || error.code == .unsafeFile else { throw error }
                content.problems.append(error.reason)
            }
        }
        return content
    }

    /// The step that writes a record.
    func step(_ record: GrantRecord, _ purpose: String, at stage: OperationPlan.Stage) throws(AgentError)
        -> OperationPlan.Step
    {
        let path = path(of: record.grant)
        let before = try files.read(path, maximumBytes: GrantRecord.maximumBytes)
        let after = FileContent(record.bytes, owner.attributes(mode: 0o600, like: before))
        return .init(
            .change(.file(path: path, before: before, after: after)), for: record.grant.account, purpose,
            at: stage)
    }
}

/// Who owns what the agent makes: root, but in tests.
public struct FileOwner: Sendable, Hashable {
    public let user: UInt32
    public let group: UInt32

    public init(user: UInt32 = 0, group: UInt32 = 0) {
        self.user = user
        self.group = group
    }

    /// Attributes of a file, with the label that it has.
    func attributes(mode: UInt32, like file: FileContent? = nil) -> FileAttributes {
        FileAttributes(mode: mode, owner: user, group: group, securityLabel: file?.attributes.securityLabel)
    }
}

extension HostLayout {
    /// Records of grants, one file each; root's, 0700.
    public var grants: String { state + "/grants" }
    /// Records of accounts that were made for grants; root's, 0700.
    public var grantAccounts: String { state + "/grant-accounts" }
    /// Homes of accounts that were removed; root's, 0700.
    public var archives: String { state + "/archives" }
    /// The latest time that was seen.
    public var grantClock: String { state + "/grants.clock" }
    /// The version of the CAs that the fleet's root key signed last.
    public var fleetState: String { state + "/fleet.json" }
    /// `AuthorizedKeysFile` is a file of the account's name in it; root's, 0755, so that sshd reads it as the account.
    public var grantKeys: String { configuration + "/granted_keys" }
    /// Folders in which nothing stays that isn't needed: nobody else may keep anything there.
    public var swept: [String] { [grantKeys, principals, grants, grantAccounts] }
    /// What this host's administrator says about provisioning.
    public var provisioning: String { configuration + "/provisioning.json" }
    /// The fleet's root keys, one public key a line.
    public var fleetRoot: String { configuration + "/fleet_root" }
    /// Keys that sign revocation lists, beside the CAs' own.
    public var revocationSigners: String { configuration + "/krl_signers" }
}
