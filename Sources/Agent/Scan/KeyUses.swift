// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
public import SSHWire

/// What the session records know about static keys.
public struct KeyUses: Sendable {
    /// When the records begin; nil when there are none.
    public private(set) var begin: UnixTime?
    /// The last login by the key with this fingerprint ("SHA256:…").
    public private(set) var last: [String: UnixTime]
    /// Lines and files that could not be read: a use in them is not known.
    public private(set) var unreadable = 0

    public init(begin: UnixTime? = nil, last: [String: UnixTime] = [:]) {
        self.begin = begin
        self.last = last
    }

    public static let none = KeyUses()

    /// Takes a record into account.
    public mutating func add(_ event: SessionEvent) {
        let time = event.time.unixTime
        begin = min(begin ?? time, time)
        guard event.kind == .open || event.kind == .carried else { return }
        for case .key(_, let fingerprint) in event.methods.compactMap(\.proof) {
            // Keys that a host ever saw: bounded by its records.
            last[fingerprint] = max(last[fingerprint] ?? time, time)
        }
    }

    /// Reads a folder's records, line by line and without checking their chain: `sessions verify` does that.
    public init(records folder: String) throws(AgentError) {
        self.init()
        let files = RecordFiles(folder: folder)
        guard try SystemFiles().kind(folder) == .folder else { return }
        let names = try files.names()
        for name in names.full + (names.current.map { [$0] } ?? []) {
            // A file that was rotated away meanwhile, or one that cannot be read, hides uses: it counts.
            var uses = self
            do throws(AgentError) {
                try files.forEachRecord(name) { record in
                    if let record { uses.add(record.event) } else { uses.unreadable += 1 }
                }
            } catch {
                uses.unreadable += 1
            }
            self = uses
        }
    }
}
