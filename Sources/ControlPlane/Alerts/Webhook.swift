// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
public import CertAuthority
import Crypto
import NIOCore
import NIOHTTP1
import NIOSSL
import SSHWire

/// Somebody who is told of alerts over HTTPS (HTTP/1.1, TLS 1.2 or newer), as the settings name them.
///
/// Redirects are not followed: they would lead alerts to whom nobody configured. Nothing of the address but scheme, host and
/// port is ever in a text of ours, nor any of the secret.
public final class Webhook: Sendable {
    /// What became of an attempt.
    enum Outcome: Sendable, Equatable {
        /// The receiver has it: a status of 200 to 299.
        case delivered
        /// Why not, in one line; fit for a log.
        case failed(String)
    }

    /// What people read of it: its place in the settings, and where it is.
    public let label: String
    /// What a store knows it by.
    let storedName: String
    let events: Set<AlertEvent>
    private let url: WebhookURL
    private let format: ServerConfiguration.Alerts.Format
    private let key: SymmetricKey?
    private let client: HTTPClient

    /// The most bytes of a secret's file, and the fewest of a secret: HMAC-SHA-256 has no use for shorter keys.
    private static let maximumSecretBytes = 4 << 10
    private static let minimumSecretBytes = 16

    /// Reads the files that the settings name.
    ///
    /// - Parameters:
    ///   - number: its place in the settings, from 0.
    ///   - path: where a file of the settings is.
    /// - Throws: `.configuration` and what reading a secret throws, naming the place.
    public init(
        _ settings: ServerConfiguration.Alerts.Webhook, number: Int, path: (String) -> String
    ) throws(CertAuthorityError) {
        let place = "alerts.webhooks[\(number)]"
        label = "\(place) at \(settings.url)"
        (url, format, events) = (settings.url, settings.format, settings.events)
        storedName = settings.url.storedName
        key = try settings.secretFile.map { file throws(CertAuthorityError) in
            try Self.secret(path(file), place)
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let file = settings.authoritiesFile {
            do {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(path(file)))
            } catch {
                throw CertAuthorityError(
                    .configuration,
                    "\(place): authorities_file \(path(file).escapedForTerminal): certificates in PEM expected, of which none can be read"
                )
            }
        }
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.redirectConfiguration = .disallow
        configuration.httpVersion = .http1Only
        configuration.decompression = .disabled
        // Who is not there is asked again by us, and less and less often.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    // A client that goes without it ends a debug build.
    deinit { client.shutdown { _ in } }

    private static func secret(_ path: String, _ place: String) throws(CertAuthorityError) -> SymmetricKey {
        let contents = try FileIO.readSecret(path, maximumBytes: maximumSecretBytes)
        var bytes = contents.withSpan { span in span.indices.map { span[$0] } }
        // A line's end is an editor's.
        while let last = bytes.last, last == 0x0a || last == 0x0d { bytes.removeLast() }
        guard bytes.count >= minimumSecretBytes else {
            throw CertAuthorityError(
                .configuration,
                "\(place): secret_file: \(bytes.count) bytes, at least \(minimumSecretBytes) are expected",
                hint: "make one: head -c 32 /dev/urandom | base64")
        }
        return SymmetricKey(data: bytes)
    }

    /// Posts an alert, once.
    ///
    /// - Parameters:
    ///   - seconds: the time, since 1970.
    ///   - timeout: from the look-up of the name to the head of the answer, whose body is not read.
    func post(
        _ alert: Alert, origin: String, at seconds: UInt64, timeout: Duration
    ) async -> Outcome {
        let body = AlertMessage(alert: alert, origin: origin).body(format)
        var request = HTTPClientRequest(url: url.secretText)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "user-agent", value: "daypassd")
        request.headers.add(name: "daypass-event", value: alert.event.rawValue)
        // The same for every attempt: who gets it twice can tell.
        request.headers.add(name: "daypass-entry", value: String(alert.index))
        if let key {
            request.headers.add(
                name: AlertMessage.signatureHeader,
                value: AlertMessage.signature(of: body, at: seconds, by: key))
        }
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            let status = try await status(of: request, timeout)
            return (200..<300).contains(status) ? .delivered : .failed(Self.words(status))
        } catch {
            // The client's errors name states and addresses as a rule; what they may have of ours is taken out.
            return .failed(url.redacted("\(error)").escapedForTerminal)
        }
    }

    private static func words(_ status: UInt) -> String {
        (300..<400).contains(status)
            ? "status \(status): redirects are not followed" : "status \(status)"
    }

    private struct NoAnswerInTime: Error, CustomStringConvertible {
        var description: String { "no answer in time" }
    }

    private func status(of request: HTTPClientRequest, _ timeout: Duration) async throws -> UInt {
        try await withThrowingTaskGroup(of: UInt.self) { [client] group in
            group.addTask {
                try await client.execute(request, deadline: .now() + TimeAmount(timeout)).status.code
            }
            // A clock of our own: the client's was seen not to end an answer that comes in drops.
            group.addTask {
                try await Task.sleep(for: timeout)
                throw NoAnswerInTime()
            }
            defer { group.cancelAll() }
            guard let status = try await group.next() else { throw NoAnswerInTime() }
            return status
        }
    }
}
