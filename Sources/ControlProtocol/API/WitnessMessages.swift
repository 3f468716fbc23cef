// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A host as a witness of the log (`GET /v1/witnesses`).
public struct WitnessInfo: Sendable, Hashable {
    /// The host's id.
    public var host: String
    /// Its key, as verifiers are configured with it (C2SP signed-note).
    public var key: String?
    /// The newest size of the log that it cosigned.
    public var size: UInt64?
    /// When it was heard last, in seconds since 1970.
    public var heard: UInt64?
    /// Why it did not take the newest checkpoint.
    public var refusal: String?

    public init(host: String, key: String?, size: UInt64?, heard: UInt64?, refusal: String?) {
        self.host = host
        self.key = key
        self.size = size
        self.heard = heard
        self.refusal = refusal
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("host", host)
        members.add("key", key)
        members.add("size", size.map { Int64(clamping: $0) })
        members.add("heard", heard.map { Int64(clamping: $0) })
        members.add("refusal", refusal)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "witness")
        host = try fields.needText("host")
        key = try fields.takeText("key")
        size = try fields.takeNumber("size").map { UInt64($0) }
        heard = try fields.takeNumber("heard").map { UInt64($0) }
        refusal = try fields.takeText("refusal")
        // A newer server may say more.
    }
}
