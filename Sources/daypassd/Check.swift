// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlPlane
import Foundation
import SSHWire

struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check settings, policy, keys and store, without starting.",
        discussion: """
            Exits with 3 when something would keep the control plane from starting. Warns when the server's account can \
            read the CA's keys although the server is a service.
            """)

    @OptionGroup var home: ServerHomeOptions

    func run() async throws {
        var failures = 0
        func check(_ what: String, _ body: () async throws -> String) async {
            do {
                Terminal.say("ok      \(what): \(try await body())")
            } catch {
                failures += 1
                Terminal.say("failed  \(what): \("\(error)".escapedForTerminal)")
                if let hint = (error as? CertAuthorityError)?.hint { Terminal.say("        hint: \(hint)") }
            }
        }
        var settings = ServerConfiguration()
        await check("settings") {
            settings = try home.settings()
            return home.configurationFile.escapedForTerminal
        }
        await check("policy") {
            let policy = try home.policy(settings)
            for warning in policy.warnings { Terminal.complain("warning", warning.text.escapedForTerminal) }
            return "\(policy.ruleNames.count) rules, \(policy.tests.count) tests pass"
        }
        await check("keys") {
            // Those of the CA are the signer's where it has been started apart.
            let roles = settings.signerSocket == nil ? AuthorityRole.allCases : [.log]
            let opened = try CAHome(home.folder)
            _ = try opened.unlock(roles) { _ in try settings.passphrase(home.folder) }
            return "user CA \(try opened.publicKey(.user).fingerprint)"
        }
        let custody = KeyCustody(folder: home.folder, socket: settings.signerSocket)
        Terminal.say("ok      signer: \(custody.description)")
        for finding in custody.findings {
            Terminal.say("warning signer: \(finding.reason)")
            if let hint = finding.hint { Terminal.say("        hint: \(hint)") }
        }
        await check("fleet roots") {
            let roots = try home.fleetRoots(settings)
            return roots.isEmpty
                ? "the signer of the first statement" : roots.map(\.fingerprint).joined(separator: ", ")
        }
        await check("store") {
            let ledger = try CAHome(home.folder).currentLedger()
            return "\(try ledger.size()) entries, continues what was published"
        }
        await check("tls") {
            guard let certificate = settings.certificateFile else {
                return
                    "own root, \(try ServerIdentity(folder: home.tlsFolder, names: settings.names, at: Date()).fingerprint)"
            }
            _ = try FileIO.read(home.path(certificate), maximumBytes: 256 << 10)
            return certificate.escapedForTerminal
        }
        await check("providers") {
            let port = settings.port
            let lines = settings.providers.map { provider in
                let ways = "\(provider.name) by \(provider.signIn.map(\.rawValue).joined(separator: ", "))"
                return provider.signIn.contains(.page)
                    ? "\(ways) (redirect \(settings.redirectURI(of: provider.name, port: port)))" : ways
            }
            return lines.isEmpty ? "none" : lines.joined(separator: "; ")
        }
        await check("alerts") {
            let webhooks = try home.webhooks(settings)
            return webhooks.isEmpty
                ? "nobody is told: no webhooks" : webhooks.map(\.label).joined(separator: ", ")
        }
        if failures > 0 { throw ExitCode(ExitStatus.negative) }
    }
}
