// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// When something is to be done next about the grants of a host: one number in a file, which the agent's loop reads
/// every second without waiting for anything.
///
/// It says "now" before anything is done, so that whatever dies on the way is gone on with.
struct GrantSchedule {
    let host: ProvisioningHost

    /// A number of 20 digits and a line feed.
    private static let maximumBytes = 64

    static func path(_ layout: HostLayout) -> String { layout.state + "/grants.due" }

    /// When something is due; nil when nothing is.
    static func due(_ files: any HostFiles, _ layout: HostLayout) throws(AgentError) -> UnixTime? {
        guard let content = try files.read(path(layout), maximumBytes: maximumBytes) else { return nil }
        let text = String(decoding: content.bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        // What cannot be read is looked into.
        return UnixTime(seconds: UInt64(text) ?? 0)
    }

    func write(due: UnixTime?) throws(AgentError) {
        let path = Self.path(host.layout)
        guard try Self.due(host.files, host.layout) != due else { return }
        guard let due else { return try host.files.remove(path) }
        try host.files.replace(
            path, FileContent(Array("\(due.seconds)\n".utf8), host.owner.attributes(mode: 0o600)))
    }

    /// Writes what is due next, by the records as they are.
    func update(now: UnixTime) throws(AgentError) {
        var times: [UnixTime] = []
        for record in try host.store.read().records {
            switch record.phase {
            case .granted:
                if let start = record.grant.notBefore, start > now { times.append(start) }
                if let end = record.grant.until { times.append(end) }
            case .ending, .failing: times.append(.always)
            case .ended:
                if let forgotten = record.ended?.adding(GrantStore.keptSeconds) { times.append(forgotten) }
            }
        }
        let settings = (try? host.settings()) ?? ProvisioningSettings()
        if settings.removal != .lock {
            for account in try MadeAccount.all(host).made.values {
                if let due = account.locked?.adding(settings.keptDays * 86_400) { times.append(due) }
            }
        }
        try write(due: times.min())
    }
}
