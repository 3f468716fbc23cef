// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlProtocol
import SSHWire

struct Revoke: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Record that a certificate or key is no longer to be trusted.",
        discussion: """
            In a CA folder, hosts learn of it from the list that `daypass krl build` makes. With --online it is the \
            control plane that this machine is logged in to that revokes: connected hosts have the list when the command \
            ends, and sessions on them are over that revoked certificates opened; others get it when they come back. A certificate is revoked by its serial, by its \
            key ID, or by its file; a key by its file, and then every certificate on it is revoked too.
            """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var format: FormatOptions

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Serials of certificates that this CA issued.", valueName: "N"))
    var serial: [UInt64] = []

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Key IDs of certificates that this CA issued.", valueName: "ID"))
    var keyID: [String] = []

    @Option(parsing: .upToNextOption, help: ArgumentHelp("Files of public keys.", valueName: "FILE"))
    var key: [String] = []

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("Files of certificates that this CA signed.", valueName: "FILE"))
    var certificate: [String] = []

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "People, with --online: their certificates, and their sessions with the control plane.",
            valueName: "IDENTITY"))
    var person: [String] = []

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Sessions on hosts, with --online: the certificates that opened them.", valueName: "HOST/SESSION")
    )
    var session: [String] = []

    @Flag(help: "At the control plane that this machine is logged in to.")
    var online = false

    @Option(help: ArgumentHelp("Why; it stays in the log.", valueName: "TEXT"))
    var reason: String

    func validate() throws {
        let isEmpty = [serial.isEmpty, keyID.isEmpty, key.isEmpty, certificate.isEmpty].allSatisfy { $0 }
        guard !(isEmpty && person.isEmpty && session.isEmpty) else {
            throw ValidationError("Nothing to revoke: give --serial, --key-id, --key or --certificate")
        }
        guard online || person.isEmpty && session.isEmpty else {
            throw ValidationError("--person and --session need --online")
        }
        guard !online || home.home == nil else {
            throw ValidationError("--online and --home don't go together")
        }
    }

    private var onlineRequest: RevocationRequest {
        get throws {
            var request = RevocationRequest(reason: reason)
            request.serials = serial
            request.keyIDs = keyID
            request.keys = try key.map { try PublicKeyFile.read($0) }
            request.people = person
            request.sessions = session
            for path in certificate {
                guard case .certificate(let certificate) = try PublicKeyFile.readLine(path).content else {
                    throw CertAuthorityError(
                        .invalidRequest, "\(path.escapedForTerminal): a plain key, a certificate expected",
                        hint: "use --key to revoke a key")
                }
                request.serials.append(certificate.fields.serial)
            }
            return request
        }
    }

    private struct Report: Encodable {
        let what: String
        let logIndex: UInt64
        let expires: String?
    }

    func run() async throws {
        if online { return try await OnlineRevocation(request: try onlineRequest).run(format) }
        let home = try CAHome(home)
        let requester = try localRequester()
        // Everything is looked up before anything is recorded.
        let records = try targets(home).map { target, expires in
            try RevocationRecord(target: target, expires: expires, reason: reason)
        }
        let ledger = try home.ledger(signing: try home.unlock([.log], passphrase).key(.log))
        let receipts = try await ledger.append(
            records.map { .revocation($0, requester: requester) }, at: millisecondsNow())
        try home.publishCheckpoint(ledger)
        let reports = zip(records, receipts).map { record, receipt in
            Report(
                what: describe(record.target), logIndex: receipt.index,
                expires: record.expires.map { "\($0)" })
        }
        guard format.format == .text else { return try JSONOutput.write(reports) }
        for report in reports {
            let rest = report.expires.map { ", which would end at \($0)" } ?? ""
            Terminal.say("revoked \(report.what)\(rest) (log entry \(report.logIndex))")
        }
        Terminal.complain(
            "hint", "hosts don't know yet: daypass krl build -o FILE, and install it as their RevokedKeys")
    }

    private func targets(_ home: CAHome) throws -> [(RevocationRecord.Target, UnixTime?)] {
        let reader = try home.ledger()
        var targets: [(RevocationRecord.Target, UnixTime?)] = []
        for number in serial {
            guard number != 0 else {
                throw CertAuthorityError(
                    .invalidRequest, "--serial 0: no sshd can revoke it, and this CA never issues it")
            }
            guard let index = try reader.entryIndex(serial: number) else {
                throw CertAuthorityError(
                    .notFound, "serial \(number) was never issued here",
                    hint: "if you have the certificate: --certificate FILE")
            }
            let fields = try reader.issuance(at: index).fields
            targets.append((.serial(number, authority: fields.signatureKey), fields.validBefore))
        }
        for text in keyID {
            guard let fields = try reader.issuance(keyID: ExactText(text))?.certificate.fields else {
                throw CertAuthorityError(
                    .notFound, "key ID \"\(text.escapedForTerminal)\" was never issued here")
            }
            targets.append((.keyID(ExactText(text), authority: fields.signatureKey), fields.validBefore))
        }
        for path in key { targets.append((.key(try PublicKeyFile.read(path)), nil)) }
        for path in certificate { targets.append(try target(path, home)) }
        return targets
    }

    private func target(_ path: String, _ home: CAHome) throws -> (RevocationRecord.Target, UnixTime?) {
        guard case .certificate(let certificate) = try PublicKeyFile.readLine(path).content else {
            throw CertAuthorityError(
                .invalidRequest, "\(path.escapedForTerminal): a plain key, a certificate expected",
                hint: "use --key to revoke a key")
        }
        let fields = certificate.fields
        let role: AuthorityRole = fields.kind == .user ? .user : .host
        guard try home.publicKey(role) == fields.signatureKey else {
            throw CertAuthorityError(
                .invalidRequest,
                "\(path.escapedForTerminal): signed by \(fields.signatureKey.fingerprint), which is not this CA's \(role.name) key"
            )
        }
        do {
            try certificate.verifySignature()
        } catch {
            throw CertAuthorityError(.invalidRequest, "\(path.escapedForTerminal): \(error.reason)")
        }
        guard fields.serial != 0 else {
            return (.keyID(fields.keyID, authority: fields.signatureKey), fields.validBefore)
        }
        return (.serial(fields.serial, authority: fields.signatureKey), fields.validBefore)
    }

    private func describe(_ target: RevocationRecord.Target) -> String {
        switch target {
        case .serial(let serial, _): "serial \(serial)"
        case .keyID(let keyID, _): "key ID \"\(keyID.string.escapedForTerminal)\""
        case .key(let key): "key \(key.fingerprint)"
        }
    }
}
