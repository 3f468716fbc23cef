// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The rule of a KRL that a key or certificate falls under.
public enum Revocation: Sendable, Hashable {
    /// Which key a rule about plain keys has hit.
    public enum Subject: Sendable, Hashable {
        /// The key itself; for a certificate, the plain key in it.
        case key
        /// The authority that signed the certificate.
        case authority
    }

    /// The key is listed.
    case key(Subject)
    /// The SHA-1 digest of the key's blob is listed.
    case sha1(Subject)
    /// The SHA-256 digest of the key's blob is listed.
    case sha256(Subject)
    /// The certificate's key ID is listed under its authority or under all.
    case keyID(ExactText, KeyRevocationList.Scope)
    /// The certificate's serial is in this range under its authority or under all.
    case serial(UInt64, in: ClosedRange<UInt64>, KeyRevocationList.Scope)
}

extension Revocation: CustomStringConvertible {
    /// The rule for people: one line, lower case, no full stop; input is escaped.
    public var description: String {
        switch self {
        case .key(let subject): "\(subject.name) is listed"
        case .sha1(let subject): "\(subject.name) is listed by its SHA-1 fingerprint"
        case .sha256(let subject): "\(subject.name) is listed by its SHA-256 fingerprint"
        case .keyID(let keyID, let scope):
            "key ID \"\(keyID.string.escapedForTerminal)\" is listed for \(scope.name)"
        case .serial(let serial, let range, let scope) where range.lowerBound == range.upperBound:
            "serial \(serial) is listed for \(scope.name)"
        case .serial(let serial, let range, let scope):
            "serial \(serial) is in \(range.lowerBound)-\(range.upperBound), listed for \(scope.name)"
        }
    }
}

extension Revocation.Subject {
    fileprivate var name: String {
        switch self {
        case .key: "the key"
        case .authority: "the authority's key"
        }
    }
}

extension KeyRevocationList.Scope {
    fileprivate var name: String {
        switch self {
        case .everyAuthority: "every authority"
        case .authority(let key): "authority \(key.fingerprint)"
        }
    }
}
