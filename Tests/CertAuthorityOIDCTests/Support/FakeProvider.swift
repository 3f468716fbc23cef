// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Synchronization

@testable import CertAuthorityOIDC

/// A provider without a network, which does what a test tells it.
final class FakeProvider: HTTPFetching {
    struct State: Sendable {
        var metadata = #"""
            {"issuer":"https://id.example.com","jwks_uri":"https://keys.example.com/jwks",
            "authorization_endpoint":"https://id.example.com/authorize","token_endpoint":"https://id.example.com/token",
            "device_authorization_endpoint":"https://id.example.com/device"}
            """#
        var keys: [String] = []
        /// What the token endpoint answers.
        var token = HTTPReply(status: 400, body: Array(#"{"error":"invalid_grant"}"#.utf8))
        var device = HTTPReply(
            status: 200,
            body: Array(
                #"{"device_code":"dev-secret","user_code":"WDJB-MJHT","verification_uri":"https://id.example.com/go","expires_in":600,"interval":5}"#
                    .utf8))
        /// Instead of every answer.
        var failure: SignInError?
        /// Instead of every answer too.
        var everything: HTTPReply?
        var requests: [HTTPFetch] = []
        var now = UnixTime(seconds: 1_800_000_000)
    }

    private let state: Mutex<State>

    init(_ change: (inout State) -> Void = { _ in }) {
        var state = State()
        change(&state)
        self.state = Mutex(state)
    }

    func change(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }

    func fetch(_ request: HTTPFetch) throws(SignInError) -> HTTPReply {
        let answer: Result<HTTPReply, SignInError> = state.withLock { state in
            state.requests.append(request)
            if let failure = state.failure { return .failure(failure) }
            if let everything = state.everything { return .success(everything) }
            return switch request.url.text.string {
            case "https://id.example.com/.well-known/openid-configuration":
                .success(HTTPReply(status: 200, body: Array(state.metadata.utf8)))
            case "https://keys.example.com/jwks":
                .success(
                    HTTPReply(
                        status: 200, body: Array(#"{"keys":[\#(state.keys.joined(separator: ","))]}"#.utf8)))
            case "https://id.example.com/token": .success(state.token)
            case "https://id.example.com/device": .success(state.device)
            default: .success(HTTPReply(status: 404, body: []))
            }
        }
        return try answer.get()
    }

    var clock: @Sendable () -> UnixTime { { self.state.withLock { $0.now } } }

    func advance(_ seconds: UInt64) {
        change { $0.now = $0.now.adding(seconds) ?? .forever }
    }

    /// How often keys were asked for.
    var keyRequests: Int { requests.count { $0.url.text.string.hasSuffix("/jwks") } }
    var requests: [HTTPFetch] { state.withLock { $0.requests } }
}

extension IdentityProviderConfiguration {
    /// The fake provider's.
    static func example(
        secret: SecretBytes? = nil, identity: IdentityRule = .email, prefix: String? = nil,
        groupsClaim: [String] = ["groups"], additionalAudiences: Set<String> = [],
        algorithms: Set<TokenAlgorithm> = TokenAlgorithm.usual, maximumAuthenticationAge: UInt64? = nil,
        domains: [String] = []
    ) throws -> IdentityProviderConfiguration {
        try IdentityProviderConfiguration(
            name: "corp", issuer: "https://id.example.com", clientID: "daypass", clientSecret: secret,
            identity: identity, prefix: prefix, groupsClaim: groupsClaim,
            additionalAudiences: additionalAudiences, algorithms: algorithms,
            maximumAuthenticationAge: maximumAuthenticationAge, domains: domains)
    }
}

/// A provider of ours over the fake one.
func makeProvider(
    _ fake: FakeProvider, _ configuration: IdentityProviderConfiguration? = nil,
    bindings: any IdentityBindings = InMemoryIdentityBindings()
) throws -> IdentityProvider {
    IdentityProvider(
        try configuration ?? .example(), http: fake, bindings: bindings, clock: fake.clock)
}

/// The person of a token that alice's nonce is in.
func person(_ token: String, _ fake: FakeProvider, _ configuration: IdentityProviderConfiguration? = nil)
    async throws -> Person
{
    try await makeProvider(fake, configuration)
        .person(idToken: token, nonce: .required("n-0S6_WzA2Mj"))
}

/// What a token is refused for; nil when it isn't.
func refusal(_ token: String, _ fake: FakeProvider, _ configuration: IdentityProviderConfiguration? = nil)
    async throws -> SignInError.Code?
{
    do {
        _ = try await person(token, fake, configuration)
        return nil
    } catch let error as SignInError {
        return error.code
    }
}
