// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import SSHWire

struct KRL: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "krl",
        abstract: "Build and read the revocation lists that sshd reads.",
        subcommands: [KRLBuild.self, KRLShow.self, KRLTest.self])
}

/// Revocation lists in files.
enum KRLFile {
    /// The largest one, in bytes; a million scattered serials stay under 9 MB.
    static let maximumBytes = 256 << 20

    static func read(_ path: String) throws -> KeyRevocationList {
        do {
            return try KeyRevocationList(encoded: try FileIO.read(path, maximumBytes: maximumBytes))
        } catch let error as SSHWireError {
            throw CertAuthorityError(.file, "\(path.escapedForTerminal): \(error.reason)")
        }
    }
}

struct KRLBuild: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Write the revocation list of this CA.",
        discussion: """
            The file is complete, read back and checked before it takes its place, in one step: sshd refuses every key when \
            its RevokedKeys can't be read. Certificates that have expired are left out, as sshd reads the whole list several \
            times a login.
            """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var format: FormatOptions

    @Option(
        name: .customShort("o"),
        help: ArgumentHelp("Where to write it; - for standard output.", valueName: "FILE"))
    var output: String

    @Flag(help: "Also list certificates that have expired.")
    var includeExpired = false

    private struct Report: Encodable {
        let file: String
        let bytes: Int
        let version: UInt64
        let revocations: Int
        let expiredLeftOut: Int
    }

    func run() throws {
        // An older database would bring back what was revoked since.
        let ledger = try CAHome(home).currentLedger()
        let build = try RevocationList.build(
            ledger.revocationRecords(), at: millisecondsNow(), includesExpired: includeExpired)
        let encoded = try build.list.checkedEncoding()
        if output == "-" {
            Terminal.write(encoded)
            return
        }
        try FileIO.write(encoded.span, to: output, mode: 0o644)
        let report = Report(
            file: output, bytes: encoded.count, version: build.list.version, revocations: build.included,
            expiredLeftOut: build.expired)
        guard format.format == .text else { return try JSONOutput.write(report) }
        let left = build.expired == 0 ? "" : ", \(build.expired) expired ones left out"
        Terminal.say(
            "\(output.escapedForTerminal): \(build.included) \(build.included == 1 ? "revocation" : "revocations")\(left), version \(build.list.version), \(encoded.count) bytes"
        )
    }
}

struct KRLTest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Ask a revocation list about keys and certificates.",
        discussion: "Exits 0 when none of them is revoked, 3 when one is, 1 when it can't be told.")

    @OptionGroup var format: FormatOptions

    @Option(name: .customShort("f"), help: ArgumentHelp("The revocation list.", valueName: "KRL"))
    var list: String

    @Argument(help: ArgumentHelp("Files of public keys and certificates.", valueName: "FILE"))
    var files: [String]

    private struct Report: Encodable {
        let file: String
        let revoked: Bool
        let rule: String?
    }

    func run() throws {
        let list = try KRLFile.read(list)
        let reports = try files.map { path -> Report in
            let revocation =
                switch try PublicKeyFile.readLine(path).content {
                case .key(let key): list.revocation(of: key)
                case .certificate(let certificate): list.revocation(of: certificate)
                }
            return Report(file: path, revoked: revocation != nil, rule: revocation.map { "\($0)" })
        }
        if format.format == .json {
            try JSONOutput.write(reports)
        } else {
            for report in reports {
                let answer =
                    report.rule.map { Terminal.paint("REVOKED", "31") + " (\($0.escapedForTerminal))" }
                    ?? "ok"
                Terminal.say("\(report.file.escapedForTerminal): \(answer)")
            }
        }
        if reports.contains(where: \.revoked) { throw ExitCode(ExitStatus.negative) }
    }
}
