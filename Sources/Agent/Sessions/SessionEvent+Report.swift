// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

extension SessionEvent {
    /// What a report of the session hook says, with its certificate taken apart.
    ///
    /// A certificate or an address that cannot be read does not keep an event from being recorded.
    public init(_ report: SessionReport, via: Via, authorities: TrustedAuthorities) {
        self.init(
            report.event == .open ? .open : .close, via: via,
            time: RecordTime(nanoseconds: report.wallNanoseconds),
            uptimeMicroseconds: report.bootNanoseconds / 1_000)
        session = report.sessionID
        account = report.account
        service = report.service.isEmpty ? nil : report.service
        terminal = report.terminal.isEmpty ? nil : report.terminal
        pid = report.pid
        processStart = report.processStart
        boot = report.bootID
        (source, destination) = Self.endpoints(report.connection) ?? (nil, nil)
        if !report.remoteHost.isEmpty, source?.address.utf8.elementsEqual(report.remoteHost.utf8) != true {
            remoteHost = report.remoteHost
        }
        for line in report.authentication.split(separator: "\n") {
            guard methods.count < LoginMethod.maximumCount else { break }
            methods.append(LoginMethod(authenticationLine: String(line), authorities: authorities))
        }
    }

    /// Takes `SSH_CONNECTION` apart: remote address and port, local address and port (session.c, `do_setup_env`).
    static func endpoints(_ text: String) -> (source: Endpoint, destination: Endpoint)? {
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 4, !parts[0].isEmpty, !parts[2].isEmpty, let source = UInt16(parts[1]),
            let destination = UInt16(parts[3])
        else { return nil }
        return (
            Endpoint(address: String(parts[0]), port: source),
            Endpoint(address: String(parts[2]), port: destination)
        )
    }
}

extension LoginMethod {
    /// One line of `SSH_AUTH_INFO_0`: a method, and the key or certificate where there is one.
    init(authenticationLine line: String, authorities: TrustedAuthorities) {
        let parts = line.split(separator: " ", maxSplits: 1)
        guard let name = parts.first, name.utf8.count <= 128 else {
            self.init(
                "unknown",
                .unreadable(
                    reason: "no method's name", sha256: hexadecimal(Digest.sha256(Array(line.utf8)))))
            return
        }
        self.init(String(name))
        guard parts.count > 1 else { return }
        do throws(SSHWireError) {
            switch try PublicKeyLine(String(parts[1])).content {
            case .key(let key): proof = .key(type: key.keyType.rawValue, fingerprint: key.fingerprint)
            case .certificate(let certificate):
                let authority = authorities.authority(certificate.fields.signatureKey)
                proof = .certificate(CertificateUse(certificate, authority: authority))
            }
        } catch {
            proof = .unreadable(
                reason: error.reason, sha256: hexadecimal(Digest.sha256(Array(parts[1].utf8))))
        }
    }
}
