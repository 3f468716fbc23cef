// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CertAuthority
import CertAuthorityStore
import CommandSupport
import ControlClient
import ControlProtocol
import SSHWire
import TransparencyLog

struct WhyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "Show how somebody came to be on a host: from the request to the end.",
        discussion: """
            WHAT is a session of daypass sessions (SESSION or HOST/SESSION), a certificate's file, serial or key ID, \
            or with --request a request's id. Each line is an entry of the log: who logged in, asked and approved, by \
            which key, what the policy said by which rule, what was issued, where it was used, how it ended. \
            Administrators see every story, others their own.

            With --prove each entry is fetched from the published log, proven to be in it by its tiles and a checkpoint \
            that the log's key signed, and read again: what the server says of it must be what it is. Exits 3 when it \
            isn't.
            """)

    @Argument(help: ArgumentHelp("A session, or a certificate's file, serial or key ID.", valueName: "WHAT"))
    var what: String

    @Flag(help: "It is the id of a request, or the beginning of one.")
    var request = false

    @Flag(help: "Prove every entry.")
    var prove = false

    @Option(
        help: ArgumentHelp(
            "With --prove, the log's key (from `daypass ca export log`); default: the one that was kept at the first login.",
            valueName: "VKEY"))
    var logKey: String?

    @OptionGroup var format: FormatOptions

    func validate() throws {
        guard logKey == nil || prove else { throw ValidationError("--log-key is for --prove") }
    }

    func run() async throws {
        let state = try ClientState()
        let (query, certificate) = try await question(state)
        let chain = try ChainInfo(json: try await state.ask("GET", "/v1/why?\(query)"))
        var proof: VerifiedCheckpoint?
        if prove { proof = try await proven(chain, certificate, state) }
        if format.format == .json { return Terminal.say(json(chain, proof).text) }
        Table(
            ["ENTRY", "TIME", "WHAT"],
            chain.steps.map { step in
                [
                    String(step.index), UnixTime(seconds: step.recorded / 1_000).description, step.sentence,
                ]
            }
        ).print()
        if chain.isCut { Terminal.note("hosts reported more: daypass sessions has all of it") }
        if let proof {
            Terminal.say("")
            Terminal.say(
                "proven: all \(chain.steps.count) entries are in the log \(proof.checkpoint.origin.escapedForTerminal) of \(proof.head.size)"
            )
        }
    }

    /// What to ask, and the certificate whose file was named.
    private func question(_ state: ClientState) async throws -> (query: String, certificate: Certificate?) {
        if request { return ("request=\(try await AccessRequests(state).find(what).id)", nil) }
        if UInt64(what) != nil { return ("serial=\(what)", nil) }
        if what.contains("#") { return ("keyId=\(queryEncoded(what))", nil) }
        if FileIO.exists(what) {
            guard case .certificate(let certificate) = try PublicKeyFile.readLine(what).content else {
                throw Failure("\(what.escapedForTerminal): a certificate expected, it is a plain key")
            }
            return ("serial=\(certificate.fields.serial)", certificate)
        }
        let parts = what.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return ("session=\(queryEncoded(what))", nil) }
        return ("session=\(queryEncoded(String(parts[1])))&host=\(queryEncoded(String(parts[0])))", nil)
    }

    // MARK: Proof

    /// Proves every step, and that a certificate's file is what was issued.
    private func proven(
        _ chain: ChainInfo, _ certificate: Certificate?, _ state: ClientState
    ) async throws -> VerifiedCheckpoint {
        let server = try state.server()
        guard let text = logKey ?? server.info.logKey else {
            throw Failure(
                "the log's key is not known here",
                hint: "log in again, or get it from the authority's operator: daypass ca export log")
        }
        let key = try NoteVerifier(vkey: text, verify: isValidEd25519)
        return try await server.withClient { client in
            let log = try await ProvenLog(client, key: key)
            var isInIt = certificate == nil
            for step in chain.steps {
                let bytes = try await log.entry(at: step.index)
                let entry = try LogEntry(encoded: bytes.span)
                guard let real = ChainStep(step.index, entry), ChainInfo.Step(real) == step else {
                    throw Failure(
                        ExitStatus.negative,
                        "entry \(step.index) says something else than the server says of it",
                        hint: "the server lies, or is broken: tell whoever watches its log")
                }
                if let certificate, case .issuance(let issued) = entry.event,
                    issued.toBeSigned == [UInt8](certificate.signedBytes)
                {
                    isInIt = true
                }
            }
            guard isInIt else {
                throw Failure(
                    ExitStatus.negative,
                    "the certificate in \(what.escapedForTerminal) is not what was issued",
                    hint: "if this authority's key signed it, somebody else has that key")
            }
            return log.checkpoint
        }
    }

    private func json(_ chain: ChainInfo, _ proof: VerifiedCheckpoint?) -> JSONValue {
        guard case .object(var members) = chain.json else { return chain.json }
        if let proof {
            members.append(
                .init(
                    "proven",
                    .object([
                        .init("origin", .string(proof.checkpoint.origin)),
                        .init("size", .number(Int64(clamping: proof.head.size))),
                        .init("root", .string(proof.head.root.base64)),
                    ])))
        }
        return .object(members)
    }
}

extension ChainInfo.Step {
    init(_ step: ChainStep) {
        self.init(
            index: step.index, recorded: step.milliseconds, step: step.kind.rawValue, who: step.who,
            facts: step.facts.map { .init(name: $0.name, value: $0.value) })
    }

    /// What happened, in one line; fit for a terminal.
    var sentence: String {
        func fact(_ name: String) -> String { self[name]?.escapedForTerminal ?? "" }
        func after(_ words: String, _ name: String) -> String {
            self[name] == nil ? "" : "\(words)\(fact(name))"
        }
        let who = self.who.escapedForTerminal
        let from = after(" from ", "from")
        let reason = after(": ", "reason")
        let request = fact("request").prefix(12)
        switch ChainStep.Kind(rawValue: step) {
        case .login:
            return
                "\(who) logged in by \(fact("provider"))\(from)\(after(" (", "reason"))\(self["reason"] == nil ? "" : ")")"
        case .logout: return "the session of \(fact("identity")) ended, by \(who)\(reason)"
        case .request:
            return
                "\(who) asked for \(fact("login")) on \(fact("hosts")), request \(request)\(after(", rule ", "rule"))\(reason)"
        case .breakGlass:
            return
                "\(who) took \(fact("login")) on \(fact("hosts")) without approval until \(fact("until")), request \(request)\(after(", rule ", "rule"))\(reason)"
        case .approval:
            return
                "\(who) approved request \(request)\(after(" by the key ", "key"))\(after(", granted until ", "until"))"
        case .denial: return "\(who) denied request \(request)\(reason)"
        case .withdrawal: return "\(who) withdrew request \(request)\(reason)"
        case .grantRevocation: return "\(who) took back what request \(request) granted\(reason)"
        case .review: return "\(who) reviewed request \(request)\(reason)"
        case .decisionRefusal: return "\(who) was not let decide over request \(request)\(reason)"
        case .decision:
            return
                "the policy answered \(who)\(from): \(fact("verdict")), \(fact("login")) on \(fact("host"))"
                + after(", rule ", "rule") + (request.isEmpty ? "" : ", by request \(request)")
        case .certificate:
            return
                "certificate \(fact("serial")) for \(fact("principals")), \(fact("validFrom")) to \(fact("validUntil")), key \(fact("key"))"
        case .hostLogin, .hostLogout, .hostRefusal, .hostKill, .hostEvent:
            let account = self["account"] == nil ? "somebody" : fact("account")
            let done =
                switch ChainStep.Kind(rawValue: step) {
                case .hostLogin: "\(account) logged in\(from)"
                case .hostLogout: "\(account) logged out"
                case .hostRefusal: "\(account) was refused\(from)"
                case .hostKill: "the session of \(account) was ended"
                default: "something was reported of \(account)"
                }
            return
                "\(fact("host")): \(done)\(after(", session ", "session"))\(after(", ", "match"))\(after("; the records: ", "gap"))\(reason)"
        case .revocation:
            let target = ["serial", "keyId", "key"].first { self[$0] != nil } ?? ""
            return "\(who) revoked \(target == "keyId" ? "key ID" : target) \(fact(target))\(reason)"
        case nil: return "\(step.escapedForTerminal) by \(who)"
        }
    }
}
