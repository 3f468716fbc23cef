// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// What a host says of a checkpoint that it was shown: the `output` of the operation `checkpoint`.
public struct WitnessReport: Sendable, Hashable {
    /// The witness's key, as verifiers are configured with it (C2SP signed-note); with a cosignature.
    public var key: String?
    /// How many entries of the log the host knows, from which the next proof must start.
    public var size: UInt64
    /// The signature's line, without its newline; nil when another proof is needed, or the checkpoint was refused.
    public var cosignature: String?
    /// The log shows itself rewritten or cut to this host.
    public var isRefusal: Bool

    /// The most bytes of a report: names of 255 bytes take 4 times that when they are escaped.
    private static let maximumBytes = 16 << 10

    public init(key: String?, size: UInt64, cosignature: String? = nil, isRefusal: Bool = false) {
        self.key = key
        self.size = size
        self.cosignature = cosignature
        self.isRefusal = isRefusal
    }

    public var text: String {
        var members = JSONMembers()
        members.add("key", key)
        members.add("size", Int64(clamping: size))
        members.add("cosignature", cosignature)
        if isRefusal { members.add("isRefusal", .bool(true)) }
        return members.value.text
    }

    /// Reads what a host said; members that are not known are passed over.
    public init(parsing text: String) throws(ControlProtocolError) {
        let json = try JSONValue(parsing: Array(text.utf8), maximumBytes: Self.maximumBytes)
        var fields = try JSONFields(json, "witness report")
        key = try fields.takeText("key")
        size = try fields.needCount("size")
        cosignature = try fields.takeText("cosignature")
        isRefusal = try fields.takeFlag("isRefusal") ?? false
    }
}
