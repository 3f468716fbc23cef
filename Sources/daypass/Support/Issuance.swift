// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire

/// What `issue user` and `issue host` share: from files of keys to files of certificates.
enum Issuance {
    /// What every key of one call is certified as.
    struct Profile {
        let subject: IssuanceRequest.Subject
        let identity: Identity
        let principals: PrincipalSet

        var kind: CertificateKind { if case .user = subject { .user } else { .host } }
    }

    /// Keys that share one durable step. Large enough that syncing the disk costs little for each, small enough that a
    /// bulk run shows progress and that little is left unsigned when it is killed.
    private static let batchSize = 500

    private struct Report: Encodable, Sendable {
        let key: String
        let certificate: String?
        let serial: String?
        let keyID: String?
        let logIndex: UInt64?
        let validAfter: String?
        let validBefore: String?
        let refused: [String]?
    }

    static func run(
        _ homeOptions: HomeOptions, _ options: IssueOptions, _ passphrase: PassphraseOptions,
        _ format: OutputFormat,
        _ profile: Profile
    ) async throws {
        let home = try CAHome(homeOptions)
        let requester = try localRequester()
        let (lifetime, start) = (try options.lifetime, try options.start)
        // Every key is read and checked before anything is recorded.
        let requests = try options.key.map { path in
            try IssuanceRequest(
                key: try PublicKeyFile.read(path), subject: profile.subject, identity: profile.identity,
                principals: profile.principals, validFrom: start, lifetime: lifetime, requester: requester)
        }
        let targets = options.key.map(options.certificatePath)
        try checkTargets(targets)
        let signing = try home.signing(profile.kind, passphrase)
        let issuer = Issuer(
            policy: home.configuration.policy, ledger: signing.ledger,
            signers: [profile.kind: signing.signer],
            revokedKeys: try signing.ledger.revokedKeys(), clock: millisecondsNow,
            randomBytes: SystemRandom.bytes)
        var reports: [Report] = []
        var progress = Progress("issuing", total: UInt64(requests.count))
        // What is written of one batch is written while the next one is recorded and signed.
        try await withThrowingTaskGroup(of: [Report].self) { writing in
            for first in stride(from: 0, to: requests.count, by: batchSize) {
                let batch = first..<min(first + batchSize, requests.count)
                let outcomes: [Issuer.Outcome]
                do {
                    outcomes = try await issuer.issue(Array(requests[batch]))
                } catch {
                    // What was recorded before a signature failed stays recorded.
                    try? home.publishCheckpoint(signing.ledger)
                    throw error
                }
                // Before a certificate leaves: an older database that is put back must be noticed.
                try home.publishCheckpoint(signing.ledger)
                if let written = try await writing.next() { reports += written }
                let (keys, targets) = (options.key[batch], targets[batch])
                writing.addTask {
                    try zip(outcomes, zip(keys, targets)).map { outcome, names in
                        try deliver(outcome, key: names.0, to: names.1)
                    }
                }
                progress.update(UInt64(batch.upperBound))
            }
            if let written = try await writing.next() { reports += written }
        }
        progress.finish()
        try tell(reports, format, profile, options)
        guard let reasons = reports.lazy.compactMap(\.refused).first else { return }
        throw Failure(
            ExitStatus.refused, "refused by policy: \(reasons.joined(separator: "; "))",
            hint: "the limits are in \(home.folder.configuration.escapedForTerminal)")
    }

    /// Refuses files that would get two certificates, or hold something else, before anything is recorded.
    private static func checkTargets(_ targets: [String]) throws {
        var seen: Set<String> = []
        for target in targets {
            guard seen.insert(target).inserted else {
                throw Failure(
                    ExitStatus.usage, "\(target.escapedForTerminal): two certificates would go there")
            }
            guard target != "-", FileIO.exists(target) else { continue }
            try FileIO.checkReplaceable(target)
            guard let line = try? PublicKeyFile.readLine(target), case .certificate = line.content else {
                throw CertAuthorityError(
                    .file, "\(target.escapedForTerminal): there is something else than a certificate",
                    hint: "remove it, or write the certificate to another file with -o")
            }
        }
    }

    private static func deliver(_ outcome: Issuer.Outcome, key: String, to target: String) throws -> Report {
        switch outcome {
        case .refused(let reasons):
            return Report(
                key: key, certificate: nil, serial: nil, keyID: nil, logIndex: nil, validAfter: nil,
                validBefore: nil,
                refused: reasons)
        case .issued(let certificate, let index):
            let fields = certificate.fields
            let line = try PublicKeyLine(.certificate(certificate), comment: fields.keyID).text + "\n"
            if target == "-" {
                Terminal.write(Array(line.utf8))
            } else {
                // Not synced: the record is durable, and a certificate that a power cut takes is issued again.
                try FileIO.write(Array(line.utf8).span, to: target, mode: 0o644, durability: .atomic)
            }
            return Report(
                key: key, certificate: target, serial: String(fields.serial), keyID: fields.keyID.string,
                logIndex: index, validAfter: "\(fields.validAfter)", validBefore: "\(fields.validBefore)",
                refused: nil)
        }
    }

    private static func tell(
        _ reports: [Report], _ format: OutputFormat, _ profile: Profile, _ options: IssueOptions
    ) throws {
        // With -o - the certificate itself is the result.
        if options.output == "-" { return }
        guard format == .text else { return try JSONOutput.write(reports) }
        let issued = reports.filter { $0.refused == nil }
        if issued.count > 10 {
            Terminal.say(
                "issued \(issued.count) \(profile.kind.name) certificates, serials \(issued[0].serial ?? "") to "
                    + "\(issued[issued.count - 1].serial ?? "")")
            return
        }
        for report in issued {
            Terminal.say("\((report.certificate ?? "").escapedForTerminal)")
            Terminal.say("  \(profile.kind.name) certificate \((report.keyID ?? "").escapedForTerminal)")
            Terminal.say("  for \(profile.principals.names.map(\.string).joined(separator: ", "))")
            Terminal.say("  valid from \(report.validAfter ?? "") to \(report.validBefore ?? "")")
        }
    }
}

extension CAHome {
    /// The ledger and the CA key that issuing one kind of certificate takes.
    func signing(
        _ kind: CertificateKind, _ passphrase: PassphraseOptions
    ) throws -> (ledger: SQLiteLedger, signer: any CertificateSigner) {
        let role: AuthorityRole = kind == .user ? .user : .host
        if configuration.agentRoles.contains(role) {
            let keyring = try unlock([.log], passphrase)
            let signer = AgentKeySigner(
                publicKey: try publicKey(role), socket: try AgentKeySource.socketPath())
            return (try ledger(signing: try keyring.key(.log)), signer)
        }
        let keyring = try unlock([.log, role], passphrase)
        return (try ledger(signing: try keyring.key(.log)), GuardedKeySigner(try keyring.key(role)))
    }
}
