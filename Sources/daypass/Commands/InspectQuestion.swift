// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire

/// The CA in the folder that the command would use, as far as there is one.
struct OwnAuthority {
    /// Its public keys.
    let keys: [(role: AuthorityRole, key: PublicKey)]
    /// What it has revoked.
    let revoked: KeyRevocationList?

    /// Nobody's.
    private static let none = OwnAuthority(keys: [], revoked: nil)

    /// Looks for a CA folder; nobody needs one to look at a file, so one that is missing or damaged is a warning at
    /// most.
    ///
    /// - Parameter isNeeded: whether a judgement depends on it; then what is there must be readable.
    static func find(_ options: HomeOptions, isNeeded: Bool) throws -> OwnAuthority {
        let home: CAHome
        let keys: [(role: AuthorityRole, key: PublicKey)]
        do {
            home = try CAHome(options)
            keys = try [AuthorityRole.user, .host].map { ($0, try home.publicKey($0)) }
        } catch let error as CertAuthorityError where error.code == .notFound {
            if options.home != nil { Terminal.complain("warning", error.reason) }
            return .none
        } catch  where !isNeeded {
            Terminal.complain("warning", "this CA's keys are not known: \(Failure.reason(of: error))")
            return .none
        }
        do {
            return OwnAuthority(keys: keys, revoked: try revocations(home))
        } catch  where !isNeeded {
            Terminal.complain(
                "warning", "what this CA has revoked is not known: \(Failure.reason(of: error))")
            return OwnAuthority(keys: keys, revoked: nil)
        }
    }

    private static func revocations(_ home: CAHome) throws -> KeyRevocationList {
        try RevocationList.build(
            home.ledger().revocationRecords(), at: millisecondsNow(), includesExpired: true
        ).list
    }

    /// What `key` is to this CA.
    func role(of key: PublicKey) -> AuthorityRole? { keys.first { $0.key == key }?.role }
}

/// What `inspect` is asked about everything that it shows.
struct InspectQuestion {
    /// The point in time that counts as now.
    let now: UnixTime
    /// What a certificate is to be good for; nil when that wasn't asked.
    let purpose: CertificateJudge.Purpose?
    /// The keys of --ca; nil when there was none.
    let trusted: Set<PublicKey>?
    /// The list of --krl and its name, escaped.
    let list: (name: String, list: KeyRevocationList)?
    /// True when an answer was asked for that decides about the exit code.
    let isAsked: Bool
    let own: OwnAuthority

    /// Rules that hold whatever a certificate is to be good for.
    private static let generalRules: Set<Refusal.Rule> = [
        .authority, .signatureAlgorithm, .signature, .window, .revoked,
    ]

    /// The reasons why the answer is no, in the judge's order; none when it is yes.
    func refusals(_ certificate: Certificate) -> [(rule: String, reason: String)] {
        let fields = certificate.fields
        let kind = purpose?.certificateKind ?? fields.kind
        let role: AuthorityRole = kind == .user ? .user : .host
        let judge = CertificateJudge(
            authorities: trusted ?? Set(own.keys.filter { $0.role == role }.map(\.key)),
            revocation: { certificate in revocation(certificate) })
        // Without a purpose, one that the certificate names itself; what depends on it is left out.
        let asked = purpose ?? .ofItself(fields)
        guard case .refused(let refusals) = judge.judge(certificate, for: asked, at: now) else { return [] }
        return refusals.filter { refusal in
            if refusal.rule == .authority, purpose == nil, trusted == nil { return false }
            return purpose != nil || Self.generalRules.contains(refusal.rule)
        }.map { ($0.rule.rawValue, $0.reason) }
    }

    /// The reasons why the answer is no for a plain key: all that can be asked about one is whether it is revoked.
    func refusals(_ key: PublicKey) -> [(rule: String, reason: String)] {
        var refusals: [(rule: String, reason: String)] = []
        if purpose != nil || trusted != nil {
            refusals.append((Refusal.Rule.kind.rawValue, "a plain key, a certificate is needed"))
        }
        if let reason = revocation(key) { refusals.append((Refusal.Rule.revoked.rawValue, reason)) }
        return refusals
    }

    /// Why a certificate is revoked, by the list that was named or by this CA itself.
    func revocation(_ certificate: Certificate) -> String? {
        explain(list?.list.revocation(of: certificate), own.revoked?.revocation(of: certificate))
    }

    /// Why a plain key is revoked.
    func revocation(_ key: PublicKey) -> String? {
        explain(list?.list.revocation(of: key), own.revoked?.revocation(of: key))
    }

    private func explain(_ listed: Revocation?, _ own: Revocation?) -> String? {
        if let listed, let name = list?.name { return "\(name): \(listed)" }
        return own.map { "this CA: \($0)" }
    }
}

extension CertificateJudge.Purpose {
    fileprivate static func ofItself(_ fields: CertificateFields) -> Self {
        let name = fields.principals.first ?? ""
        return fields.kind == .user ? .login(principal: name, address: nil) : .host(name: name)
    }

    fileprivate var certificateKind: CertificateKind {
        switch self {
        case .login: .user
        case .host: .host
        }
    }

    /// The purpose in words, escaped: "login as root from 192.0.2.1".
    var summary: String {
        switch self {
        case .login(let principal, let address):
            "login as \"\(principal.string.escapedForTerminal)\"" + (address.map { " from \($0)" } ?? "")
        case .host(let name): "host \"\(name.string.escapedForTerminal)\""
        }
    }
}
