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

    /// The most that one file of records may have here, in bytes.
    static let maximumFileBytes = 256 << 20
    /// Files of records that are read: ours.
    static let maximumFiles = 4_096

    /// Reads every file of records in a folder, without checking their chain: `sessions verify` does that.
    public init(records folder: String, files: any HostFiles = SystemFiles()) throws(AgentError) {
        self.init()
        for name in (try files.list(folder) ?? []).prefix(Self.maximumFiles) {
            do throws(AgentError) {
                let path = "\(folder)/\(name)"
                guard try files.kind(path) == .file,
                    let content = try files.read(path, maximumBytes: Self.maximumFileBytes)
                else { continue }
                addLines(content.bytes)
            } catch {
                unreadable += 1
            }
        }
    }

    private mutating func addLines(_ bytes: [UInt8]) {
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            do throws(ControlProtocolError) {
                add(try SessionRecord(parsing: Array(line)).event)
            } catch {
                unreadable += 1
            }
        }
    }
}
