// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The methods of the tunnel and what both sides hold each other to.
public enum Tunnel {
    /// The subprotocol of two sides that are Daypass's (`Sec-WebSocket-Protocol`); without it P0's dialect is spoken.
    public static let subprotocol = "daypass.v1"
    /// Agent to server: who is at this end. Sent at once, and again as a sign of life.
    public static let setClientID = "setClientId"
    /// Server to agent: an operation.
    public static let call = "call"
    /// Agent to server, `daypass.v1` only: how the host is.
    public static let state = "state"
    /// Agent to server, `daypass.v1` only: session records.
    public static let report = "report"
    /// Agent to server, `daypass.v1` only: a certificate for a key of the host's sshd.
    public static let hostCertificate = "hostCertificate"

    /// What is spoken on a connection.
    public enum Dialect: Sendable, Hashable {
        /// As P0's agent and braekhus do it.
        case p0
        /// `daypass.v1`.
        case daypass
    }

    /// The longest client id, in bytes.
    public static let maximumClientIDBytes = 255

    /// The client id of a host, `<organisation>:<host>:ssh`.
    ///
    /// - Throws: `.invalidValue` unless both are 1 to 120 printable ASCII characters without a colon or a space.
    public static func clientID(organisation: String, host: String) throws(ControlProtocolError) -> String {
        for (name, text) in [("orgId", organisation), ("hostId", host)] {
            let isPlain = text.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: ":") }
            guard isPlain, (1...120).contains(text.utf8.count) else {
                throw ControlProtocolError(
                    .invalidValue,
                    "\(name): 1 to 120 printable ASCII characters without colons or spaces expected")
            }
        }
        return "\(organisation):\(host):ssh"
    }
}
