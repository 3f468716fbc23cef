// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Files that give access: sudo's and sshd's.
extension GrantReconciliation {
    /// What our files in sudo's folder begin with.
    static let sudoersPrefix = "daypass-"

    /// One file a grant, of exactly this content; a file of our name without a grant goes.
    mutating func planSudo() throws(AgentError) {
        let folder = host.places.sudoersFolder
        var wanted: Set<String> = []
        for record in records where record.isInForce(at: now) {
            let grant = record.grant
            guard let rule = grant.sudo else { continue }
            do throws(AgentError) {
                let line = try rule.line(for: grant.account, from: grant.notBefore, until: grant.until)
                let text = "# Made by daypass-agent for grant \(grant.id); it goes with the grant.\n\(line)\n"
                let name = Self.sudoersPrefix + grant.fileName
                wanted.insert(name)
                try want(
                    "\(folder)/\(name)", Array(text.utf8), mode: 0o440, for: grant.account,
                    "sudo of grant \(grant.id)")
            } catch { fail(error, for: grant.account) }
        }
        for name in try host.files.list(folder) ?? []
        where name.hasPrefix(Self.sudoersPrefix) && !wanted.contains(name) {
            let record = records.first { Self.sudoersPrefix + $0.grant.fileName == name }
            try unwant("\(folder)/\(name)", for: record?.grant.account)
        }
    }

    /// One file an account; what no grant needs goes before anything comes.
    mutating func planKeys() throws(AgentError) {
        let opening = records.filter { $0.isInForce(at: now) && $0.grant.opensAccount }
        let keys = opening.isEmpty ? nil : grantedKeys(opening)
        var wanted: Set<String> = []
        for account in Set(opening.map(\.grant.account)).sorted() {
            do throws(AgentError) {
                guard let content = try keys?.content(inForce(account).map(\.grant)) else { continue }
                wanted.insert(account.text)
                try want(
                    "\(host.layout.grantKeys)/\(account)", content, mode: 0o644, for: account,
                    "who logs in to \(account) by a grant")
            } catch { fail(error, for: account) }
        }
        for name in try host.files.list(host.layout.grantKeys) ?? []
        where !wanted.contains(name) && !name.hasPrefix(".") {
            try unwant("\(host.layout.grantKeys)/\(name)", for: try? LocalName(name, field: "account"))
        }
    }

    private mutating func grantedKeys(_ opening: [GrantRecord]) -> GrantedKeys {
        let release = SshdRelease.find(host.sshd.binary, files: host.files, programs: host.programs)
        let path = host.layout.userCAKeys
        var authorities: [PublicKey] = []
        if opening.contains(where: { !$0.grant.principals.isEmpty }) {
            do throws(AgentError) {
                guard let content = try host.files.read(path) else {
                    throw AgentError(.file, "\(path): it is gone")
                }
                authorities = try TrustSettings.AuthorityKey.parse(content.bytes, name: path).map(\.key)
            } catch { note("no principal of a grant lets anybody in: \(error.reason)") }
        }
        return GrantedKeys(authorities: authorities, knowsUTC: !(release?.precedes(9, 1) ?? true))
    }

    /// Wants a file of ours; what only loses lines is written with what goes.
    private mutating func want(
        _ path: String, _ bytes: [UInt8], mode: UInt32, for account: LocalName, _ purpose: String
    ) throws(AgentError) {
        let before = try host.files.read(path, maximumBytes: GrantRecord.maximumBytes)
        let after = FileContent(bytes, host.owner.attributes(mode: mode, like: before))
        guard !matches(before, after) else { return }
        let old = Set(before?.bytes.split(separator: UInt8(ascii: "\n")) ?? [])
        let isLoss = old.isSuperset(of: bytes.split(separator: UInt8(ascii: "\n")))
        add(
            .init(
                .change(.file(path: path, before: before, after: after)), for: account, purpose,
                at: isLoss ? .taking : .giving))
    }

    private mutating func unwant(_ path: String, for account: LocalName?) throws(AgentError) {
        guard let before = try host.files.read(path, maximumBytes: GrantRecord.maximumBytes) else { return }
        add(
            .init(
                .change(.file(path: path, before: before, after: nil)), for: account,
                "no grant in force needs it"))
    }
}
