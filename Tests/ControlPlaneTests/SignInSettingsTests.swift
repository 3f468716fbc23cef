// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import Testing

@Suite("Settings of sign-ins") struct SignInSettingsTests {
    private func settings(_ lines: String, _ environment: [String: String] = [:]) throws
        -> ServerConfiguration
    {
        try ServerConfiguration(
            yaml: "version: 1\nnames: [daypass.example.com, \"::1\"]\n\(lines)\n", name: "f",
            environment: environment)
    }

    private func provider(_ ways: String) -> String {
        "providers: [{name: corp, issuer: \"https://id.example.com\", client_id: d\(ways)}]"
    }

    @Test func withoutAWordThePersonsOwnBrowserComesFirstAndNoCodeOfTheProviders() throws {
        #expect(try settings(provider("")).providers[0].signIn == [.code, .page])
    }

    @Test func theWaysAreThoseThatAreNamedInTheirOrder() throws {
        #expect(try settings(provider(", sign_in: [page]")).providers[0].signIn == [.page])
        #expect(
            try settings(provider(", sign_in: [device, code, page]")).providers[0].signIn == [
                .device, .code, .page,
            ])
    }

    @Test(arguments: ["[]", "[page, page]", "[browser]", "[Page]", "page", "[page, code, device, page]"])
    func whatIsNoListOfWaysIsRefused(ways: String) {
        #expect(throws: CertAuthorityError.self) { try settings(provider(", sign_in: \(ways)")) }
    }

    @Test func browsersReachTheServerByItsFirstNameUnlessToldOtherwise() throws {
        let plain = try settings("")
        #expect(plain.publicURL(port: 8443) == "https://daypass.example.com:8443")
        #expect(plain.redirectURI(of: "corp", port: 443) == "https://daypass.example.com/callback/corp")
        let told = try settings("url: https://daypass.example.com")
        #expect(told.redirectURI(of: "corp", port: 8443) == "https://daypass.example.com/callback/corp")
        let variable = try settings(
            "url: https://daypass.example.com", ["DAYPASSD_URL": "https://[::1]:9443"])
        #expect(variable.publicURL(port: 1) == "https://[::1]:9443")
    }

    @Test(arguments: [
        "http://daypass.example.com", "https://daypass.example.com/", "https://daypass.example.com/x",
        "https://daypass.example.com.evil.example", "https://evil.example", "https://daypass.example.com:0",
        "https://daypass.example.com:", "https://daypass.example.com:65536", "https://daypass.example.com:+1",
        "https://user@daypass.example.com", "https://::1", "https://daypass.example.com?x", "",
    ]) func attack49_anAddressThatIsNotTheServersIsRefused(url: String) {
        #expect(throws: CertAuthorityError.self) { try settings("url: \"\(url)\"") }
    }
}
