// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlPlane
import Foundation
import SSHWire

/// Where the control plane keeps everything.
struct ServerHomeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The folder (default: $DAYPASSD_HOME, else /var/lib/daypassd).", valueName: "DIR"))
    var home: String?

    @Option(
        help: ArgumentHelp(
            "The settings (default: daypassd.yaml in the folder, else /etc/daypass/daypassd.yaml).",
            valueName: "FILE"))
    var config: String?

    var folder: CAFolder {
        CAFolder(
            home ?? environment("DAYPASSD_HOME").flatMap { $0.isEmpty ? nil : $0 } ?? "/var/lib/daypassd")
    }

    var signerSocket: String { folder.path + "/run/signer.sock" }
    var tlsFolder: String { folder.path + "/tls" }

    /// The settings file that counts.
    var configurationFile: String {
        if let config { return config }
        let own = folder.path + "/daypassd.yaml"
        return FileIO.exists(own) || !FileIO.exists("/etc/daypass/daypassd.yaml")
            ? own : "/etc/daypass/daypassd.yaml"
    }

    func settings() throws -> ServerConfiguration {
        let path = configurationFile
        let bytes = try FileIO.read(path, maximumBytes: ServerConfiguration.maximumBytes)
        guard let yaml = String(validating: bytes, as: UTF8.self) else {
            throw CertAuthorityError(.configuration, "\(path.escapedForTerminal): not UTF-8")
        }
        return try ServerConfiguration(
            yaml: yaml, name: path.escapedForTerminal,
            environment: ProcessInfo.processInfo.environment)
    }

    /// A path from the settings: relative ones are meant from the settings file.
    func path(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        let file = configurationFile
        guard let slash = file.lastIndex(of: "/") else { return path }
        return file[...slash] + path
    }

    /// Who is told of alerts, with the files that the settings name.
    func webhooks(_ settings: ServerConfiguration) throws -> [Webhook] {
        try settings.alerts.webhooks.enumerated().map { number, webhook in
            try Webhook(webhook, number: number, path: path)
        }
    }

    /// The fleet's root keys, as the settings name them; none where they don't.
    func fleetRoots(_ settings: ServerConfiguration) throws -> [PublicKey] {
        guard let file = settings.fleetRootsFile else { return [] }
        do {
            return try PublicKeyFile.readAll(path(file), "fleet root").map(\.key)
        } catch let error as CertAuthorityError where error.code == .key {
            throw CertAuthorityError(.configuration, error.reason)
        }
    }

    /// The policy of these settings.
    func policy(_ settings: ServerConfiguration) throws -> AccessPolicy {
        let path = path(settings.policyFile)
        let bytes = try FileIO.read(path, maximumBytes: AccessPolicy.maximumBytes)
        guard let yaml = String(validating: bytes, as: UTF8.self) else {
            throw CertAuthorityError(.configuration, "\(path.escapedForTerminal): not UTF-8")
        }
        return try AccessPolicy(yaml: yaml, name: path.escapedForTerminal)
    }
}

extension ServerConfiguration {
    /// The passphrase of the CA's keys, from its file.
    func passphrase(_ folder: CAFolder) throws -> SecretBytes {
        guard let passphraseFile else {
            throw CertAuthorityError(
                .passphrase,
                "the keys in \(folder.path.escapedForTerminal) are encrypted, and no passphrase_file is set",
                hint: "name a file with mode 0600, or a systemd credential, in daypassd.yaml")
        }
        return try Passphrase.read(passphraseFile)
    }
}
