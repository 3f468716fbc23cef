// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A key or certificate that an agent says it can sign with.
public struct AgentIdentity: Sendable, Hashable {
    /// What an entry of the list holds.
    public enum Content: Sendable, Hashable {
        case known(KeyOrCertificate)
        /// A type that Daypass does not know, or a blob that is none: kept as it came, good for nothing but being
        /// shown and removed.
        case opaque(blob: [UInt8], reason: String)
    }

    /// What it is.
    public let content: Content
    /// The agent's words about it, often a file's path; not trusted, and to be escaped before it is shown. Bytes that
    /// are not UTF-8 have become replacement characters.
    public let comment: String

    /// The key or certificate, nil for opaque entries.
    public var known: KeyOrCertificate? {
        guard case .known(let known) = content else { return nil }
        return known
    }

    /// The blob as the agent sent it.
    public var blob: [UInt8] {
        switch content {
        case .known(let known): known.encoded
        case .opaque(let blob, _): blob
        }
    }

    /// Reads one entry (draft-ietf-sshm-ssh-agent, section 3.5).
    ///
    /// A blob that can't be parsed makes an opaque entry: one odd key in an agent must not hide the others. Only a
    /// broken list is an error.
    init(from reader: inout WireReader) throws(SSHWireError) {
        let blob = try reader.readString("agent key", upTo: Limits.agentMessageBytes)
        do {
            content = .known(try KeyOrCertificate(encoded: blob))
        } catch {
            content = .opaque(blob: [UInt8](blob), reason: error.reason)
        }
        let comment = try reader.readString("agent key comment", upTo: Limits.commentBytes)
        self.comment = String(decoding: [UInt8](comment), as: UTF8.self)
    }
}
