// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlClient
import ControlProtocol
import Foundation
import SSHWire

/// The certificates that this machine holds, one for each connection as ssh knows it.
///
/// A certificate's private key is made for it and lives in the ssh-agent for as long as the certificate does; without
/// an agent it is a file with mode 0600 beside it. What ssh needs to find it, the certificate, is a file.
struct Identities {
    private let state: ClientState

    /// A certificate that has less than this left is replaced when it is used, in seconds, or less than a third of its
    /// life: whatever is shorter.
    private static let renewalSeconds: UInt64 = 120
    /// How far the server's clock may be ahead of this machine's, in seconds, as far as lifetimes go.
    private static let clockTolerance: UInt64 = 120

    init(_ state: ClientState) { self.state = state }

    /// What is wanted of the control plane.
    struct Wish {
        var host: String
        var login: String
        var lifetime: UInt64?
        var permissions: [String]?
        var reason: String?
    }

    /// A certificate that is ready for ssh.
    struct Ready {
        /// The value of IdentityFile.
        let identityFile: String
        let certificate: Certificate
        /// Nil where it was there already.
        let issued: IssuedCertificate?
    }

    // MARK: Names of files

    private func path(_ name: String) -> String { "\(state.identities)/\(name)" }

    /// The name for a connection: what ssh calls `%C`, or as much of it as is known.
    static func name(host: String, port: String, login: String) -> String {
        hexadecimal(Digest.sha256(Array("\(host)\0\(port)\0\(login)".utf8)).prefix(20))
    }

    /// Refuses what is no name of ours: it becomes part of a path.
    static func check(_ name: String) throws {
        guard isName(name[...]) else {
            throw Failure(ExitStatus.usage, "the connection's name: hexadecimal digits expected")
        }
    }

    private static func isName(_ text: Substring) -> Bool {
        (16...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    // MARK: Getting one

    /// The certificate for a connection: the one that is there while it lasts, else a new one.
    ///
    /// Where the control plane can't answer, one that is still valid is used to its end.
    func ready(_ name: String, _ wish: Wish) async throws -> Ready {
        try Self.check(name)
        if let held = try? held(name, wish, now: unixTimeNow()), await isGood(held) {
            return Ready(identityFile: path(name), certificate: held, issued: nil)
        }
        // Without a session there is nothing to wait for, and nowhere to write.
        _ = try state.openSession()
        try FileIO.makeSecretFolder(state.identities)
        let lock = try await StateLock(path(name) + ".lock")
        defer { lock.release() }
        // Another process may have been here meanwhile.
        let held = try? held(name, wish, now: unixTimeNow())
        if let held, await isGood(held) {
            return Ready(identityFile: path(name), certificate: held, issued: nil)
        }
        do {
            return try await fetch(name, wish)
        } catch let error as ClientError where error.isPassing {
            guard let held else { throw error }
            Terminal.complain(
                "warning",
                "\(error.description.escapedForTerminal); going on with a certificate that is valid until "
                    + "\(held.fields.validBefore)")
            return Ready(identityFile: path(name), certificate: held, issued: nil)
        }
    }

    /// Whether a certificate that is there may be used on.
    private func isGood(_ certificate: Certificate) async -> Bool {
        guard !Self.isDue(certificate, now: unixTimeNow()) else { return false }
        // A grant may have been taken back since, and its certificates with it; another one of the same account has a principal
        // of its own.
        for grant in certificate.fields.principals.compactMap({ Self.grant($0.string) }) {
            do {
                guard try await AccessRequests(state).isGranted(grant) else { return false }
            } catch let error as ClientError where error.isPassing {
                continue
            } catch {
                return false
            }
        }
        return true
    }

    /// The id of the grant whose principal this is (`LOGIN@grant:ID`).
    private static func grant(_ principal: String) -> String? {
        guard let mark = principal.range(of: "@grant:", options: .backwards) else { return nil }
        let id = principal[mark.upperBound...]
        return isName(id) ? String(id) : nil
    }

    private static func isDue(_ certificate: Certificate, now: UnixTime) -> Bool {
        let fields = certificate.fields
        let life = fields.validBefore.seconds - min(fields.validAfter.seconds, fields.validBefore.seconds)
        let left = fields.validBefore.seconds - min(now.seconds, fields.validBefore.seconds)
        return left < min(renewalSeconds, life / 3)
    }

    /// The certificate that is there, if it is valid, is this person's, and its key is at hand.
    private func held(_ name: String, _ wish: Wish, now: UnixTime) throws -> Certificate? {
        let file = path(name) + "-cert.pub"
        guard FileIO.exists(file),
            case .certificate(let certificate) = try PublicKeyFile.readLine(file).content,
            now < certificate.fields.validBefore,
            let session = try state.session(),
            certificate.fields.keyID.string.hasPrefix("\(session.info.identity)#")
        else { return nil }
        if FileIO.exists(path(name)) { return certificate }
        guard let socket = Self.agentSocket else { return nil }
        var client = AgentClient(try AgentSocket(path: socket, timeout: .seconds(5)))
        return try client.identities().contains { $0.known == .certificate(certificate) } ? certificate : nil
    }

    /// Asks for a certificate on a new key, makes sure that it is what was asked for, and puts both where ssh finds
    /// them.
    private func fetch(_ name: String, _ wish: Wish) async throws -> Ready {
        let key = try PrivateKey.generate(.ed25519, comment: "daypass \(wish.login)")
        let (certificate, issued) = try await certificate(on: key.publicKey, wish)
        purge()
        let file = path(name)
        let inAgent = try Self.addToAgent(key, certificate)
        if inAgent {
            FileIO.remove(file)
        } else {
            try FileIO.writeSecret(try key.openSSHFile(passphrase: nil), to: file)
        }
        // No file of the plain public key: ssh would sign with its private half, which the agent doesn't list
        // (sshconnect2.c, sign_and_send_pubkey).
        try FileIO.write(issued.certificate + "\n", to: file + "-cert.pub", mode: 0o644)
        return Ready(identityFile: file, certificate: certificate, issued: issued)
    }

    /// A certificate for `key`, compared with what was asked for (attack row 7).
    func certificate(on key: PublicKey, _ wish: Wish) async throws -> (Certificate, IssuedCertificate) {
        let request = CertificateWish(
            host: wish.host, login: wish.login, key: key, lifetime: wish.lifetime,
            permissions: wish.permissions, reason: wish.reason)
        let answer = try await state.ask(
            "POST", "/v1/certificates", request.json, idempotencyKey: UUID().uuidString.lowercased())
        let issued = try IssuedCertificate(json: answer)
        let now = unixTimeNow()
        let session = try state.openSession()
        // The clocks of the two machines may differ.
        let asked = wish.lifetime.flatMap { now.adding($0) }?.adding(Self.clockTolerance)
        let ends = UnixTime(seconds: UInt64(clamping: session.info.expires))
        let expected = ExpectedCertificate(
            key: key, login: wish.login, authority: try state.server().info.userAuthority,
            latestEnd: min(asked ?? ends, ends),
            permissions: wish.permissions.map { Set($0.compactMap(Permission.init(rawValue:))) })
        return (try expected.verified(issued.certificate), issued)
    }

    // MARK: The agent

    static var agentSocket: String? {
        environment("SSH_AUTH_SOCK").flatMap { $0.isEmpty ? nil : $0 }
    }

    /// - Returns: false where there is no agent.
    private static func addToAgent(_ key: PrivateKey, _ certificate: Certificate) throws -> Bool {
        guard let path = agentSocket, let socket = try? AgentSocket(path: path, timeout: .seconds(5)) else {
            return false
        }
        let now = unixTimeNow().seconds
        let end = certificate.fields.validBefore.seconds
        let left = UInt32(clamping: end > now ? end - now : 1)
        var client = AgentClient(socket)
        try client.add(
            try AgentAddition(key, certificate: certificate, comment: certificate.fields.keyID),
            constraints: [.lifetime(seconds: max(left, 1))])
        return true
    }

    // MARK: Taking away

    /// Every certificate that lies here.
    func all() -> [(name: String, certificate: Certificate)] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: state.identities)) ?? []
        return names.sorted().compactMap { file in
            guard file.hasSuffix("-cert.pub"),
                case .certificate(let certificate)? = try? PublicKeyFile.readLine(path(file)).content
            else { return nil }
            return (String(file.dropLast("-cert.pub".count)), certificate)
        }
    }

    /// Removes what has expired.
    private func purge() {
        let now = unixTimeNow()
        for (name, certificate) in all() where now >= certificate.fields.validBefore {
            // Not the lock: somebody may hold it.
            for suffix in ["", "-cert.pub"] { FileIO.remove(path(name) + suffix) }
        }
    }

    func removeAll() {
        for (_, certificate) in all() {
            if let socket = Self.agentSocket, let agent = try? AgentSocket(path: socket, timeout: .seconds(5))
            {
                var client = AgentClient(agent)
                // It may have forgotten it by itself.
                try? client.remove(.certificate(certificate))
            }
        }
        for file in (try? FileManager.default.contentsOfDirectory(atPath: state.identities)) ?? []
        where Self.isName(file.prefix { $0 != "." && $0 != "-" }) {
            FileIO.remove(path(file))
        }
    }
}
