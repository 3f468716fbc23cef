// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import Logging
import SSHWire

/// What agents ask of the server.
extension TunnelHub {
    func answer(
        _ method: String, _ params: JSONValue?, from host: EnrolledHost
    ) async -> Result<JSONValue, RPCError> {
        seen(host)
        do {
            switch method {
            case Tunnel.state:
                told(host, params ?? .null)
                hear(clock: params ?? .null, from: host)
                return .success(.object([.init("ok", .bool(true))]))
            case Tunnel.report:
                hear(clock: params ?? .null, from: host)
                // Until it is known that they are taken, they aren't.
                alerts?.heardRecords(from: host.id, areTaken: false)
                let intake = try await take(params ?? .null, from: host)
                alerts?.heardRecords(from: host.id, areTaken: true)
                return .success(
                    .object([.init("recorded", .number(Int64(clamping: intake.recorded)))]))
            case Tunnel.hostCertificate: return .success(try await certify(params ?? .null, of: host))
            default: return .failure(RPCError.unknownMethod(method))
            }
        } catch let error as ControlProtocolError {
            return .failure(RPCError(.invalidParams, error.reason))
        } catch let error as CertAuthorityError {
            return .failure(
                RPCError(error.code == .invalidRequest ? .invalidParams : .internalError, error.reason))
        } catch {
            return .failure(RPCError(.internalError, "something went wrong here"))
        }
    }

    /// Records session records: `{"records":[LINE, …],"beginsAnew":BOOL}`, each line as the host's file has it.
    private func take(_ params: JSONValue, from host: EnrolledHost) async throws -> Fleet.Intake {
        guard let lines = params["records"]?.array, lines.count <= Fleet.maximumEvents else {
            throw ControlProtocolError(
                .invalidValue, "records: a list of at most \(Fleet.maximumEvents) lines expected")
        }
        var events: [HostEvent] = []
        for line in lines {
            guard let text = line.string else {
                throw ControlProtocolError(.invalidValue, "records: lines expected")
            }
            let bytes = Array(text.utf8)
            events.append(
                HostEvent(try SessionRecord(parsing: bytes), hash: Digest.sha256(bytes)))
        }
        let intake = try await fleet.take(
            events, beginsAnew: params["beginsAnew"]?.bool ?? false, from: host)
        for alert in intake.alerts {
            metrics.countAlert((AlertEvent(.hostEvent(alert)) ?? .gap).rawValue)
            logger.warning(
                "alert",
                metadata: [
                    "daypass.host": "\(host.id)", "daypass.match": "\(alert.match.name)",
                    "daypass.account": "\(alert.account.string.escapedForTerminal)",
                    "daypass.serial": "\(alert.serial)",
                    "daypass.reason": "\(alert.reason.string.escapedForTerminal)",
                    "daypass.gap": "\((alert.gap?.string ?? "").escapedForTerminal)",
                ])
        }
        return intake
    }
}

extension HostEvent {
    /// A host's record as the authority reads it.
    init(_ record: SessionRecord, hash: [UInt8]) {
        let event = record.event
        let kind: HostEventRecord.Kind =
            switch event.kind {
            // A host's proof of its own change is by a CA that nobody else knows, and is nobody's login.
            case _ where event.isTrustProof: .other
            case .open: .opened
            case .close, .missedClose: .closed
            case .denied: .refused
            case .kill: .killed
            default: .other
            }
        var method = event.methods.first?.name ?? ""
        var proof: Proof?
        if kind != .other, let last = event.methods.last {
            method = last.name
            proof =
                switch (event.certificate, last.proof) {
                case (let certificate?, _): .certificate(ShownCertificate(certificate))
                case (nil, .key(_, let fingerprint)): .key(fingerprint)
                case (nil, .unreadable): .unreadable
                case (nil, _): .other
                }
        }
        self.init(
            kind: kind, sequence: record.sequence, recordHash: hash,
            previousHash: bytes(hexadecimal: record.previous) ?? [],
            happened: event.time.milliseconds, session: event.session ?? "", account: event.account ?? "",
            sourceAddress: event.source?.address ?? "", method: method, proof: proof,
            reason: (kind == .other
                ? event.kind.rawValue + (event.reason.map { ": \($0)" } ?? "") : event.reason)
                ?? "")
    }
}

extension HostEvent.ShownCertificate {
    init(_ use: CertificateUse) {
        self.init(
            serial: use.serial, keyID: use.keyID, authority: use.authority.fingerprint,
            keyFingerprint: use.keyFingerprint,
            signedDigest: use.signedSHA256.flatMap { bytes(hexadecimal: $0) })
    }
}
