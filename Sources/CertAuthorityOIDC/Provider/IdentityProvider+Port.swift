// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import CertAuthority
import SSHWire
import Synchronization

/// The provider as the authority knows it.
extension IdentityProvider: SignInProvider {
    public var name: String { configuration.name }
    public var ways: [SignInWay] { configuration.ways }

    public func beginDeviceSignIn() async throws(SignInFailure) -> any DeviceSignIn {
        do throws(SignInError) {
            return DeviceAttempt(self, try await beginDevice(), at: clock())
        } catch {
            throw SignInFailure(error)
        }
    }

    public func beginCodeSignIn(redirectURI: String) async throws(SignInFailure) -> any CodeSignIn {
        do throws(SignInError) {
            return CodeAttempt(provider: self, authorization: try await beginCode(redirectURI: redirectURI))
        } catch {
            throw SignInFailure(error)
        }
    }

    public func beginPageSignIn(redirectURI: String) async throws(SignInFailure) -> any CodeSignIn {
        do throws(SignInError) {
            return CodeAttempt(provider: self, authorization: try await beginPage(redirectURI: redirectURI))
        } catch {
            throw SignInFailure(error)
        }
    }
}

extension WorkloadIssuer: WorkloadProvider {
    public var name: String { configuration.name }

    public func person(token: String) async throws(SignInFailure) -> Person {
        do throws(SignInError) {
            return try await workload(token: token)
        } catch {
            throw SignInFailure(error)
        }
    }
}

extension SignInFailure {
    fileprivate init(_ error: SignInError) {
        let isProviders =
            switch error.code {
            case .unreachable, .provider, .store: true
            default: false
            }
        self.init(error.reason, hint: error.hint, isProviders: isProviders)
    }
}

/// Asks no more often than the provider wants, however often it is asked itself.
private final class DeviceAttempt: DeviceSignIn {
    private struct State {
        var authorization: DeviceAuthorization
        var next: UnixTime
    }

    private let provider: IdentityProvider
    private let first: DeviceAuthorization
    private let state: Mutex<State>

    init(_ provider: IdentityProvider, _ authorization: DeviceAuthorization, at now: UnixTime) {
        self.provider = provider
        first = authorization
        state = Mutex(State(authorization: authorization, next: now.adding(authorization.interval) ?? now))
    }

    var userCode: String { first.userCode }
    var verificationURL: String { first.verificationURI.description }
    var verificationURLWithCode: String? { first.verificationURIComplete?.description }
    var interval: UInt64 { first.interval }
    var expires: UnixTime { first.expires }

    func poll() async throws(SignInFailure) -> DeviceSignInProgress {
        let now = provider.clock()
        let due: DeviceAuthorization? = state.withLock { state in
            guard now >= state.next else { return nil }
            state.next = now.adding(state.authorization.interval) ?? now
            return state.authorization
        }
        guard let due else { return .pending(interval: state.withLock { $0.authorization.interval }) }
        let poll: DevicePoll
        do throws(SignInError) {
            poll = try await provider.pollDevice(due)
        } catch {
            throw SignInFailure(error)
        }
        switch poll {
        case .pending(let interval): return .pending(interval: interval)
        case .slowDown(let interval):
            state.withLock { state in
                state.authorization = state.authorization.asking(every: interval)
                state.next = now.adding(interval) ?? now
            }
            return .pending(interval: interval)
        case .person(let person): return .signedIn(person)
        case .denied: return .refused("the sign-in was refused at \(provider.name)")
        case .expired: return .refused("nobody signed in at \(provider.name) in time")
        }
    }
}

private struct CodeAttempt: CodeSignIn {
    let provider: IdentityProvider
    let authorization: CodeAuthorization

    var authorizationURL: String { authorization.authorizationURL }
    var state: String { authorization.state }
    var expires: UnixTime { authorization.expires }

    func finish(
        code: String?, state: String?, issuer: String?, error: String?
    ) async throws(SignInFailure) -> Person {
        do throws(SignInError) {
            return try await provider.finishCode(
                authorization, callback: CodeCallback(code: code, state: state, issuer: issuer, error: error))
        } catch {
            throw SignInFailure(error)
        }
    }
}
