// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Whose story is asked for.
public enum ChainQuestion: Sendable, Hashable {
    /// A session's name on a host, and which host; without one, the only host that has such a session.
    case session(String, host: String?)
    /// A certificate by its serial, or by its key ID.
    case serial(UInt64)
    case keyID(String)
    /// A request for approval by its id.
    case request(String)

    /// The longest of its texts, in bytes.
    static let maximumTextBytes = 1_024

    /// - Throws: `.invalidRequest` for texts that nothing is called.
    func check() throws(CertAuthorityError) {
        switch self {
        case .session(let session, let host):
            try checkText(session, field: "session", maximumBytes: 64)
            if let host { try checkText(host, field: "host", maximumBytes: ManagedHost.maximumIDBytes) }
        case .serial: break
        case .keyID(let keyID): try checkText(keyID, field: "key ID", maximumBytes: Self.maximumTextBytes)
        case .request(let id): try checkText(id, field: "request", maximumBytes: 64)
        }
    }
}

/// A story out of the log.
public struct Chain: Sendable, Hashable {
    /// In the order of the log, each entry once.
    public let steps: [ChainStep]
    /// True where there is more of what hosts reported than is shown.
    public let isCut: Bool
}
