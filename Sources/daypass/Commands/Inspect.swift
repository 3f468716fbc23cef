// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import SSHWire

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what certificates, keys, revocation lists and signatures say.",
        discussion: """
            Finds out by itself what a file holds; - is standard input. Needs no CA; when there is one in --home, it says \
            whether that CA signed or revoked what it shows.

              daypass inspect id_ed25519-cert.pub
              daypass inspect --ca user_ca.pub --principal deploy id_ed25519-cert.pub
              ssh-add -L | daypass inspect -

            --principal, --host, --ca, --krl and --at ask for a judgement. Exits 0 when everything was shown and no judgement \
            was no, 3 when one was, 1 when something couldn't be read.
            """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var format: FormatOptions

    @Argument(help: ArgumentHelp("What to show; - for standard input.", valueName: "FILE"))
    var files: [String]

    @Option(
        name: .customLong("ca"),
        help: ArgumentHelp(
            "Trust the CA keys in this file, and no others (repeatable; default: this CA's).",
            valueName: "FILE"))
    var authorities: [String] = []

    @Option(help: ArgumentHelp("Is it good to log in as this?", valueName: "NAME"))
    var principal: String?

    @Option(help: ArgumentHelp("With --principal: from this address?", valueName: "IP"))
    var address: String?

    @Option(help: ArgumentHelp("Does it prove that a host has this name?", valueName: "NAME"))
    var host: String?

    // The next word whatever it is: -5m begins as an option does.
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "At what time (2026-11-21T05:00:00Z, @UNIX, +1h, -5m; default: now)?", valueName: "TIME"))
    var at: String?

    @Option(help: ArgumentHelp("Is it revoked by this list?", valueName: "FILE"))
    var krl: String?

    @Flag(help: "Show all of a long revocation list.")
    var all = false

    @Flag(help: "Show the picture of each key's fingerprint.")
    var randomart = false

    func validate() throws {
        guard principal == nil || host == nil else {
            throw ValidationError("--principal and --host exclude each other")
        }
        guard address == nil || principal != nil else {
            throw ValidationError("--address goes with --principal")
        }
        guard principal?.isEmpty != true, host?.isEmpty != true else {
            throw ValidationError("--principal and --host take a name that is not empty")
        }
        guard files.count(where: { $0 == "-" }) < 2 else {
            throw ValidationError("- (standard input) can be read only once")
        }
    }

    func run() throws {
        let question = try question()
        var text = InspectText()
        var reports: [InspectReport] = []
        for file in files {
            let content: InspectedContent
            do {
                content = try InspectedContent(
                    try InputFile.read(file, maximumBytes: InspectedContent.maximumBytes))
            } catch {
                reports.append(complain(file, error))
                continue
            }
            for item in content.items {
                let report = try InspectReport(
                    item, file: file, question, all ? .all : .first, withRandomart: randomart)
                if format.format == .text { text.show(item, report, now: question.now) }
                reports.append(report)
            }
            reports += complain(file, content.problems)
        }
        if format.format == .json { try JSONOutput.write(reports) }
        if reports.contains(where: { $0.error != nil }) { throw ExitCode(ExitStatus.failed) }
        if reports.contains(where: { $0.judgement?.accepted == false }) {
            throw ExitCode(ExitStatus.negative)
        }
    }

    private func complain(_ file: String, _ error: any Error) -> InspectReport {
        let reason = Failure.reason(of: error)
        // Files that can't be opened are named by whoever tried.
        let full = error is SSHWireError ? "\(InputFile.name(file)): \(reason)" : reason
        Terminal.complain("error", full)
        return InspectReport(failed: file, reason)
    }

    private func complain(_ file: String, _ problems: [(line: Int, reason: String)]) -> [InspectReport] {
        let shown = 10
        for problem in problems.prefix(shown) {
            Terminal.complain("error", "\(InputFile.name(file)):\(problem.line): \(problem.reason)")
        }
        if problems.count > shown {
            Terminal.complain("error", "\(InputFile.name(file)): … and \(problems.count - shown) more lines")
        }
        return problems.map { InspectReport(failed: file, line: $0.line, $0.reason) }
    }

    private func question() throws -> InspectQuestion {
        let now =
            try at.map { try TimeArgument.parse($0, field: "--at", now: unixTimeNow()) } ?? unixTimeNow()
        let purpose = try purpose()
        let isAsked = purpose != nil || !authorities.isEmpty || krl != nil || at != nil
        return InspectQuestion(
            now: now, purpose: purpose, trusted: try trusted(),
            list: try krl.map { (InputFile.name($0), try KRLFile.read($0)) }, isAsked: isAsked,
            own: try OwnAuthority.find(home, isNeeded: purpose != nil))
    }

    private func purpose() throws -> CertificateJudge.Purpose? {
        if let host { return .host(name: ExactText(host)) }
        guard let principal else { return nil }
        do {
            return .login(
                principal: ExactText(principal),
                address: try address.map { text throws(SSHWireError) in try IPAddress(text) })
        } catch {
            throw Failure(ExitStatus.usage, "--address: \(error.reason)")
        }
    }

    /// The plain keys of --ca, as TrustedUserCAKeys lists them.
    private func trusted() throws -> Set<PublicKey>? {
        guard !authorities.isEmpty else { return nil }
        var keys: Set<PublicKey> = []
        for file in authorities {
            let content: InspectedContent
            do {
                content = try InspectedContent(try FileIO.read(file, maximumBytes: Limits.textFileBytes))
            } catch let error as SSHWireError {
                throw Failure("--ca \(file.escapedForTerminal): \(error.reason)")
            }
            if let problem = content.problems.first {
                throw Failure("--ca \(file.escapedForTerminal):\(problem.line): \(problem.reason)")
            }
            for item in content.items {
                guard case .key(let key) = item.subject else {
                    throw Failure("--ca \(file.escapedForTerminal): plain public keys expected, nothing else")
                }
                keys.insert(key)
            }
        }
        return keys
    }
}
