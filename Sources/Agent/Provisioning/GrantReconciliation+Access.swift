// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Files that give access: sudo's and sshd's.
extension GrantReconciliation {
    /// What our files in sudo's folder begin with.
    static let sudoersPrefix = "daypass-"
    /// The most bytes of one.
    private static let maximumSudoersBytes = 128 << 10

    /// One file a grant, of exactly this content; a file of our name without a grant goes.
    mutating func planSudo() throws(AgentError) {
        let folder = host.places.sudoersFolder
        var wanted: Set<String> = []
        for record in records where record.isInForce(at: now) {
            guard let rule = record.grant.sudo else { continue }
            let grant = record.grant
            let name = Self.sudoersPrefix + grant.fileName
            wanted.insert(name)
            let line = try rule.line(for: grant.account, from: grant.notBefore, until: grant.until)
            let text = "# Made by daypass-agent for grant \(grant.id); it goes with the grant.\n\(line)\n"
            try want(
                "\(folder)/\(name)", Array(text.utf8), mode: 0o440, "sudo of grant \(grant.id)",
                into: \.giving)
        }
        for name in try host.files.list(folder) ?? []
        where name.hasPrefix(Self.sudoersPrefix) && !wanted.contains(name) {
            try unwant("\(folder)/\(name)", "no grant in force needs it")
        }
    }

    /// One file an account; what no grant needs goes before anything comes.
    mutating func planKeys() throws(AgentError) {
        let accounts = Set(
            records.filter { $0.isInForce(at: now) && $0.grant.opensAccount }.map(\.grant.account))
        let keys = try accounts.isEmpty ? nil : grantedKeys()
        var wanted: Set<String> = []
        for account in accounts.sorted() {
            guard let content = try keys?.content(inForce(account).map(\.grant)) else { continue }
            wanted.insert(account.text)
            try want(
                "\(host.layout.grantKeys)/\(account)", content, mode: 0o644,
                "who logs in to \(account) by a grant",
                into: \.giving)
        }
        for name in try host.files.list(host.layout.grantKeys) ?? []
        where !wanted.contains(name) && !name.hasPrefix(".") {
            try unwant("\(host.layout.grantKeys)/\(name)", "no grant in force needs it")
        }
    }

    private mutating func grantedKeys() throws(AgentError) -> GrantedKeys {
        let release = SshdRelease.find(host.sshd.binary, files: host.files, programs: host.programs)
        let path = host.layout.userCAKeys
        let needsAuthorities = records.contains { $0.isInForce(at: now) && !$0.grant.principals.isEmpty }
        var authorities: [PublicKey] = []
        if needsAuthorities {
            if let content = try host.files.read(path) {
                authorities = try TrustSettings.AuthorityKey.parse(content.bytes, name: path).map(\.key)
            } else {
                notes.append("\(path): no CA is trusted, so no principal lets anybody in")
            }
        }
        return GrantedKeys(authorities: authorities, knowsUTC: !(release?.precedes(9, 1) ?? true))
    }

    /// Wants a file of ours; what only loses lines is written with what goes.
    private mutating func want(
        _ path: String, _ bytes: [UInt8], mode: UInt32, _ purpose: String,
        into steps: WritableKeyPath<Self, [OperationPlan.Step]>
    ) throws(AgentError) {
        let before = try host.files.read(path, maximumBytes: GrantRecord.maximumBytes)
        let after = FileContent(bytes, host.owner.attributes(mode: mode, like: before))
        guard !matches(before, after) else { return }
        let step = OperationPlan.Step.change(.file(path: path, before: before, after: after), purpose)
        let lines = Set(bytes.split(separator: UInt8(ascii: "\n")))
        let isLoss = lines.isSubset(of: before?.bytes.split(separator: UInt8(ascii: "\n")) ?? [])
        self[keyPath: isLoss ? \.taking : steps].append(step)
    }

    private mutating func unwant(_ path: String, _ purpose: String) throws(AgentError) {
        guard let before = try host.files.read(path, maximumBytes: GrantRecord.maximumBytes) else { return }
        taking.append(.change(.file(path: path, before: before, after: nil), purpose))
    }
}
