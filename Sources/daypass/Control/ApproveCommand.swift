// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CommandSupport
import ControlProtocol
import Foundation
import SSHWire

struct ApproveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve",
        abstract: "Approve somebody's request, by a signature over exactly what it asks for.",
        discussion: """
            The signature is made by the SSH key that you log in by; of whoever logs in at an identity provider, by an \
            enrolled key that --key names, else by the session's.
            """)

    @Argument(help: ArgumentHelp("The request, or the beginning of its id.", valueName: "ID"))
    var id: String

    @Option(
        help: ArgumentHelp(
            "Sign by this key: a private key file, or a .pub file whose key the ssh-agent holds.",
            valueName: "FILE"))
    var key: String?

    @Flag(name: .shortAndLong, help: "Don't ask.")
    var yes = false

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let state = try ClientState()
        let request = try await AccessRequests(state).find(id)
        guard request.status == "pending" else {
            throw Failure(
                "request \(AccessRequests.short(request.id)) is \(request.status.escapedForTerminal) already")
        }
        // What is signed is what is shown, and it is about this request of this authority.
        let head = "daypass approval\norigin \(try state.server().info.origin)\nrequest \(request.id)\n"
        guard request.text.hasPrefix(head) else {
            throw Failure("the server's text is not about this request: it is not signed")
        }
        if format.format == .text || !yes {
            Terminal.note("\(request.person.escapedForTerminal) asks for")
            for line in AccessRequests.lines(request) { Terminal.note(line) }
        }
        guard yes || Terminal.askForYes("approve this? ") else {
            throw Failure("request \(AccessRequests.short(request.id)) is not approved")
        }
        let signature = try sign(Array(request.text.utf8), state)
        let answer = try await state.ask(
            "POST", "/v1/requests/\(request.id)/approve",
            RequestAnswer.approval(signature: signature.armoured),
            idempotencyKey: UUID().uuidString.lowercased())
        guard format.format == .text else { return Terminal.say(answer.text) }
        let approved = try AccessRequestInfo(json: answer)
        Terminal.say(
            "request \(AccessRequests.short(approved.id)) \(AccessRequests.standing(approved))")
    }

    private func sign(_ message: [UInt8], _ state: ClientState) throws -> SSHSignature {
        let session = try state.openSession()
        if key == nil, session.info.provider != Person.enrolledKeys {
            return try SSHSignature.sign(
                message, namespace: Approval.namespace, signer: .key(session.key.publicKey)
            ) { (bytes, algorithm) throws(SSHWireError) in try session.key.sign(bytes, with: algorithm) }
        }
        let candidates = try LoginKey.candidates(key, first: state.loginKey)
        let signer =
            key == nil
            ? candidates.first { $0.publicKey.fingerprint == state.loginKey } : candidates.first
        guard let signer else {
            throw Failure(
                "the ssh-agent does not hold the key that you logged in by",
                hint: "name it with --key, or add it with ssh-add")
        }
        return try signer.sign(message, namespace: Approval.namespace)
    }
}

struct DenyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deny", abstract: "Refuse somebody's request.")

    @Argument(help: ArgumentHelp("The request, or the beginning of its id.", valueName: "ID"))
    var id: String

    @Option(help: ArgumentHelp("Why; whoever asked reads it.", valueName: "TEXT"))
    var reason: String

    func run() async throws {
        let state = try ClientState()
        let request = try await AccessRequests(state).find(id)
        let answer = try await state.ask(
            "POST", "/v1/requests/\(request.id)/deny", RequestAnswer.reason(reason),
            idempotencyKey: UUID().uuidString.lowercased())
        let denied = try AccessRequestInfo(json: answer)
        Terminal.say("request \(AccessRequests.short(denied.id)) is \(denied.status.escapedForTerminal)")
    }
}

struct RevokeGrantCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke-grant",
        abstract: "Take back what was granted, and revoke the certificates that it gave.")

    @Argument(help: ArgumentHelp("The request, or the beginning of its id.", valueName: "ID"))
    var id: String

    @Option(help: ArgumentHelp("Why.", valueName: "TEXT"))
    var reason: String?

    func run() async throws {
        let state = try ClientState()
        let request = try await AccessRequests(state).find(id)
        guard request.status == "approved" else {
            throw Failure(
                "request \(AccessRequests.short(request.id)) is \(request.status.escapedForTerminal), not granted"
            )
        }
        let query = reason.map { "?reason=\(percentEncoded($0))" } ?? ""
        let answer = try AccessRequestInfo(
            json: try await state.ask("DELETE", "/v1/requests/\(request.id)\(query)"))
        Terminal.say(
            "the grant of request \(AccessRequests.short(answer.id)) is \(answer.status.escapedForTerminal)")
        for line in AccessRequests.missing(answer) { Terminal.complain("warning", line) }
    }
}

struct ReviewsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reviews", abstract: "Look at access that was taken without approval.",
        subcommands: [ReviewsList.self, ReviewsAcknowledge.self])
}

struct ReviewsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List what nobody has looked at yet.")

    @OptionGroup var format: FormatOptions

    func run() async throws {
        let items = try await ClientState().list("/v1/reviews")
        if format.format == .json { return Terminal.say(JSONValue.array(items).text) }
        AccessRequests.print(try items.map { try AccessRequestInfo(json: $0) })
    }
}

struct ReviewsAcknowledge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "acknowledge", abstract: "Say that you have looked at it.")

    @Argument(help: ArgumentHelp("The request, or the beginning of its id.", valueName: "ID"))
    var id: String

    @Option(help: ArgumentHelp("What you found.", valueName: "TEXT"))
    var note: String?

    func run() async throws {
        let state = try ClientState()
        let request = try await AccessRequests(state).find(id)
        try await state.ask(
            "POST", "/v1/reviews/\(request.id)/acknowledge", RequestAnswer.reason(note ?? ""),
            idempotencyKey: UUID().uuidString.lowercased())
        Terminal.say("request \(AccessRequests.short(request.id)) is reviewed")
    }
}

extension Terminal {
    /// Whether a person says yes. Where nobody can be asked, the answer is no.
    static func askForYes(_ question: String) -> Bool {
        guard isWatched(STDIN_FILENO) else {
            complain("hint", "nobody can be asked here: use --yes")
            return false
        }
        write(question, to: STDERR_FILENO)
        return ["y", "yes"].contains(readLine()?.lowercased() ?? "")
    }
}
