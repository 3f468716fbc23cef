// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium
import CertAuthority
import SSHWire

/// 2026-11-21 05:00:00 UTC, when most tests take place.
let sampleNow = UnixTime(seconds: 1_795_237_200)

/// An Ed25519 key pair from a seed of equal bytes, in plain memory.
struct SampleKey: Sendable {
    let publicBytes: [UInt8]
    private let secretBytes: [UInt8]

    init(seed byte: UInt8) {
        var publicBytes = [UInt8](repeating: 0, count: 32)
        var secretBytes = [UInt8](repeating: 0, count: 64)
        _ = unsafe crypto_sign_seed_keypair(
            &publicBytes, &secretBytes, [UInt8](repeating: byte, count: 32))
        self.publicBytes = publicBytes
        self.secretBytes = secretBytes
    }

    var publicKey: PublicKey {
        get throws { try PublicKey(.ed25519(publicBytes)) }
    }

    func signature(over message: [UInt8]) -> [UInt8] {
        var signature = [UInt8](repeating: 0, count: 64)
        _ = unsafe crypto_sign_detached(&signature, nil, message, UInt64(message.count), secretBytes)
        return signature
    }
}

/// What a test asks for where it does not care.
enum Sample {
    static let userAuthority = SampleKey(seed: 1)
    static let hostAuthority = SampleKey(seed: 2)

    static var subjectKey: PublicKey {
        get throws { try SampleKey(seed: 100).publicKey }
    }

    static var nonce: [UInt8] { [UInt8](repeating: 7, count: 32) }

    static func userRequest(
        _ principals: [String] = ["alice"], identity: String = "alice@example.com",
        options: UserOptions? = nil, validFrom: UnixTime? = nil, lifetime: UInt64? = nil
    ) throws -> IssuanceRequest {
        try IssuanceRequest(
            key: try subjectKey, subject: .user(try options ?? UserOptions()),
            identity: try Identity(identity), principals: try PrincipalSet(users: principals),
            validFrom: validFrom, lifetime: lifetime, requester: try Identity("operator"))
    }

    static func hostRequest(
        _ names: [String] = ["web1.example.com"], allowWildcards: Bool = false, lifetime: UInt64? = nil
    ) throws -> IssuanceRequest {
        try IssuanceRequest(
            key: try subjectKey, subject: .host, identity: try Identity("web1"),
            principals: try PrincipalSet(hosts: names, allowWildcards: allowWildcards), lifetime: lifetime,
            requester: try Identity("operator"))
    }
}

/// The code of the error that `body` throws, nil when it returns.
func refusalCode(_ body: () throws -> Void) throws -> CertAuthorityError.Code? {
    do {
        try body()
        return nil
    } catch let error as CertAuthorityError {
        return error.code
    }
}

/// Parses an entry.
func logEntry(_ bytes: [UInt8]) throws(CertAuthorityError) -> LogEntry { try LogEntry(encoded: bytes.span) }
