// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import SSHWire
import Synchronization

/// An identity provider that lets in whom a test names, and takes each answer once.
final class TestProvider: SignInProvider {
    let name = "corp"
    let ways: [SignInWay]
    private let person: Person
    private let expires: UnixTime
    /// Where browsers were to be sent back to.
    let redirects = Mutex([String]())

    init(_ person: Person, ways: [SignInWay] = [.page], expires: UnixTime = .forever) {
        self.person = person
        self.ways = ways
        self.expires = expires
    }

    func beginDeviceSignIn() async throws(SignInFailure) -> any DeviceSignIn {
        throw SignInFailure("not here")
    }

    func beginCodeSignIn(redirectURI: String) async throws(SignInFailure) -> any CodeSignIn {
        throw SignInFailure("not here")
    }

    func beginPageSignIn(redirectURI: String) async throws(SignInFailure) -> any CodeSignIn {
        let number = redirects.withLock { redirects in
            redirects.append(redirectURI)
            return redirects.count
        }
        return Attempt(number: number, person: person, expires: expires)
    }

    private struct Attempt: CodeSignIn {
        let number: Int
        let person: Person
        let expires: UnixTime

        var state: String { "state-\(number)" }
        var authorizationURL: String { "https://id.example.com/authorize?state=\(state)&x='" }

        func finish(
            code: String?, state: String?, issuer: String?, error: String?
        ) async throws(SignInFailure) -> Person {
            guard error == nil else { throw SignInFailure("the provider refuses") }
            guard code != "down" else { throw SignInFailure("the provider is away", isProviders: true) }
            return person
        }
    }
}
