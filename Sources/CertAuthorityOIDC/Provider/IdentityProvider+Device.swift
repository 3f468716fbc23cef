// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire

extension IdentityProvider {
    private static let deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

    /// Starts an attempt to sign in with a browser on any machine (RFC 8628, section 3.1).
    ///
    /// - Throws: `.unreachable`, `.provider`, or `.refused` when the client may not do so.
    public func beginDevice() async throws(SignInError) -> DeviceAuthorization {
        let metadata = try await keys.currentMetadata()
        guard let url = metadata.deviceAuthorization else { throw lacks("device_authorization_endpoint") }
        let nonce = secret()
        // A provider that doesn't know a parameter leaves it aside (RFC 6749, section 3.1).
        let (status, answer) = try await post(
            [("scope", configuration.scopes.joined(separator: " ")), ("nonce", nonce)], to: url,
            metadata: metadata)
        guard status == 200 else {
            throw SignInError(
                .refused,
                "\(url): the provider refuses: \(try errorCode(answer, status: status, url: url))",
                hint: "is the client registered for the device flow?")
        }
        guard let deviceCode = answer["device_code"]?.string, (1...4_096).contains(deviceCode.utf8.count),
            // It is shown in a terminal.
            let userCode = answer["user_code"]?.string, (1...64).contains(userCode.utf8.count),
            userCode.utf8.allSatisfy({ (0x20..<0x7f).contains($0) }),
            // Google still has the name of a draft.
            let address = (answer["verification_uri"] ?? answer["verification_url"])?.string,
            let lifetime = answer["expires_in"]?.number, lifetime > 0
        else {
            throw SignInError(
                .provider, "\(url): device_code, user_code, verification_uri and expires_in expected")
        }
        let seconds = UInt64(min(lifetime, DeviceAuthorization.maximumLifetime))
        return DeviceAuthorization(
            deviceCode: deviceCode, userCode: userCode, verificationURI: try page(address, of: url),
            verificationURIComplete: try answer["verification_uri_complete"]?.string.map {
                text throws(SignInError) in try page(text, of: url)
            },
            interval: answer["interval"]?.number.flatMap(UInt64.init(exactly:)) ?? 5,
            expires: clock().adding(seconds) ?? .forever, nonce: nonce)
    }

    /// Asks what became of an attempt; to be called every ``DeviceAuthorization/interval`` seconds.
    ///
    /// After `.person`, `.denied` and `.expired` the attempt is over, and whoever keeps it forgets it.
    ///
    /// - Throws: ``SignInError``. After `.unreachable` the attempt goes on; after all others it is over.
    public func pollDevice(_ device: DeviceAuthorization) async throws(SignInError) -> DevicePoll {
        guard clock() < device.expires else { return .expired }
        switch try await token([("grant_type", Self.deviceGrant), ("device_code", device.deviceCode)]) {
        case .idToken(let text):
            return .person(try await person(idToken: text, nonce: .ifPresent(device.nonce)))
        case .error("authorization_pending"): return .pending(nextInterval: device.interval)
        // RFC 8628, section 3.5.
        case .error("slow_down"):
            return .slowDown(nextInterval: device.asking(every: device.interval + 5).interval)
        case .error("access_denied"): return .denied
        case .error("expired_token"): return .expired
        case .error(let code): throw SignInError(.refused, "the provider refuses the device code: \(code)")
        }
    }

    /// A page that people are sent to.
    private func page(_ text: String, of url: ProviderURL) throws(SignInError) -> ProviderURL {
        let page = try ProviderURL(text, field: "\(url): verification_uri")
        guard page.isSecure || !url.isSecure else {
            throw SignInError(.provider, "\(url): verification_uri: https:// expected")
        }
        return page
    }
}
