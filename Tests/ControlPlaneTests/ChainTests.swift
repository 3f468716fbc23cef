// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import SSHWire
import Testing

@testable import ControlPlane

@Suite("The story of a certificate") struct ChainTests {
    /// Alice asks for root on web1, bob approves, she gets a certificate and logs in by it, and it is revoked.
    private struct Scene {
        let approvals: ApprovalScene
        let fleet: Fleet
        let host: EnrolledHost
        let request: GrantRequest
        let certificate: Certificate
        let admin: TestSession

        init() async throws {
            approvals = try await ApprovalScene()
            request = try await approvals.approved()
            certificate = try #require(try await approvals.issue().certificate)
            fleet = try await approvals.parts.fleet()
            let token = try await fleet.makeJoinToken(
                hostPattern: "web1", labels: ["team": "infra"], lifetime: 600,
                by: try Identity("admin@example.com"))
            host = try await fleet.join(
                token: token.text, name: "web1",
                key: try PrivateKey.generate(.ecdsaP384, comment: "").publicKey, hostKeys: [], from: nil)
            admin = try await approvals.parts.session("admin@example.com")
        }

        var shown: HostEvent.ShownCertificate {
            .init(
                serial: certificate.fields.serial, keyID: certificate.fields.keyID.string,
                authority: certificate.fields.signatureKey.fingerprint,
                keyFingerprint: certificate.fields.key.fingerprint,
                signedDigest: Digest.sha256(certificate.signedBytes))
        }

        func report(
            _ sequence: UInt64, _ kind: HostEventRecord.Kind, session: String = "5e55",
            _ proof: HostEvent.Proof? = nil
        ) async throws {
            _ = try await fleet.take(
                [
                    HostEvent(
                        kind: kind, sequence: sequence, recordHash: Digest.sha256([UInt8(sequence)]),
                        previousHash: Digest.sha256([UInt8(sequence - 1)]), happened: sequence,
                        session: session, account: "root", sourceAddress: "192.0.2.7", method: "publickey",
                        proof: proof, reason: "")
                ], from: host)
        }

        func chain(
            _ question: ChainQuestion, for identity: String = "admin@example.com",
            isAdministrator: Bool = true
        ) async throws -> Chain {
            try await approvals.parts.chains.chain(
                question, for: .init(try Identity(identity), isAdministrator: isAdministrator))
        }
    }

    private static let whole: [ChainStep.Kind] = [
        .login, .request, .approval, .decision, .certificate, .hostLogin, .hostLogout, .revocation,
    ]

    private func finished() async throws -> Scene {
        let scene = try await Scene()
        try await scene.report(1, .opened, .certificate(scene.shown))
        // sshd's word at the end names no certificate.
        try await scene.report(2, .closed)
        var wish = RevocationWish(reason: "laptop lost")
        wish.serials = [scene.certificate.fields.serial]
        _ = try await scene.fleet.revoke(wish, by: try Identity("admin@example.com"), from: nil)
        // What others do meanwhile is in no story of this one.
        let bob = try await scene.approvals.parts.authority.issue(
            try scene.approvals.parts.wish("root"), for: scene.approvals.bob.session.session, from: nil)
        #expect(bob.certificate == nil)
        try await scene.report(3, .opened, session: "0000", .key("SHA256:static"))
        return scene
    }

    @Test func itIsWholeWhicheverPartIsAskedFor() async throws {
        let scene = try await finished()
        let fields = scene.certificate.fields
        for question: ChainQuestion in [
            .serial(fields.serial), .keyID(fields.keyID.string), .request(scene.request.id),
            .session("5e55", host: nil), .session("5e55", host: "web1"),
        ] {
            let chain = try await scene.chain(question)
            #expect(chain.steps.map(\.kind) == Self.whole, "\(question)")
            #expect(chain.steps.map(\.index) == chain.steps.map(\.index).sorted() && !chain.isCut)
        }
    }

    @Test func eachStepSaysWhoWhatAndByWhatItWasDecided() async throws {
        let scene = try await finished()
        let steps = try await scene.chain(.serial(scene.certificate.fields.serial)).steps
        func step(_ kind: ChainStep.Kind) throws -> ChainStep {
            try #require(steps.first { $0.kind == kind })
        }
        let request = try step(.request)
        #expect(request.who == "alice@example.com" && request["rule"] == "on-approval")
        #expect(request["hosts"] == "web1" && request["login"] == "root" && request["reason"] == "disk full")
        let approval = try step(.approval)
        #expect(approval.who == "bob@example.com" && approval["until"] != nil)
        #expect(approval["key"] == scene.approvals.bob.key.publicKey.fingerprint)
        let decision = try step(.decision)
        #expect(decision["verdict"] == "allowed" && decision["rule"] == "on-approval")
        #expect(decision["request"] == scene.request.id)
        let certificate = try step(.certificate)
        #expect(certificate["serial"] == String(scene.certificate.fields.serial))
        #expect(certificate["principals"] == "root@web1, \(scene.request.principal)")
        #expect(certificate.index == decision.index + 1)
        let login = try step(.hostLogin)
        #expect(login["host"] == "web1" && login["from"] == "192.0.2.7" && login["match"] == "issued")
        let revocation = try step(.revocation)
        #expect(revocation.who == "admin@example.com" && revocation["reason"] == "laptop lost")
    }

    @Test func aStepIsMadeOfItsEntryAlone() async throws {
        let scene = try await finished()
        let entries = await scene.approvals.parts.ledger.kept.entries
        for step in try await scene.chain(.request(scene.request.id)).steps {
            let bytes = entries[Int(step.index)]
            #expect(ChainStep(step.index, try LogEntry(encoded: bytes.span)) == step)
        }
    }

    @Test func attack41_itsOwnerSeesItAndOthersNotEvenThatItIsThere() async throws {
        let scene = try await finished()
        let fields = scene.certificate.fields
        let questions: [ChainQuestion] = [
            .serial(fields.serial), .keyID(fields.keyID.string), .request(scene.request.id),
            .session("5e55", host: "web1"),
        ]
        for question in questions {
            let own = try await scene.chain(question, for: "alice@example.com", isAdministrator: false)
            #expect(own.steps.map(\.kind) == Self.whole, "\(question)")
            let error = await #expect(throws: CertAuthorityError.self) {
                try await scene.chain(question, for: "bob@example.com", isAdministrator: false)
            }
            #expect(error?.code == .notFound, "\(question)")
        }
        // Whose a static key's session is, nobody knows.
        let error = await #expect(throws: CertAuthorityError.self) {
            try await scene.chain(
                .session("0000", host: nil), for: "alice@example.com", isAdministrator: false)
        }
        #expect(error?.reason == "no session 0000 was reported")
        #expect(try await scene.chain(.session("0000", host: nil)).steps.map(\.kind) == [.hostLogin])
    }

    @Test func aNameThatIsAlmostSomebodysIsNotTheirs() async throws {
        let scene = try await finished()
        for name in ["alice@example.co", "alice@example.com2", "alice"] {
            await #expect(throws: CertAuthorityError.self) {
                try await scene.chain(
                    .serial(scene.certificate.fields.serial), for: name, isAdministrator: false)
            }
        }
    }

    @Test(arguments: [
        ChainQuestion.serial(1), .serial(.max), .keyID("nobody#1"), .request("00"),
        .session("none", host: nil),
        .session("5e55", host: "web2"),
    ])
    func whatThereIsNotIsNotFound(question: ChainQuestion) async throws {
        let scene = try await finished()
        let error = await #expect(throws: CertAuthorityError.self) { try await scene.chain(question) }
        #expect(error?.code == .notFound)
    }

    @Test(arguments: [
        ChainQuestion.session("", host: nil), .session(String(repeating: "x", count: 65), host: nil),
        .session("a\u{1b}b", host: nil), .keyID("a\nb#1"), .request(""), .session("s", host: ""),
    ])
    func whatNothingIsCalledIsRefused(question: ChainQuestion) async throws {
        let scene = try await Scene()
        let error = await #expect(throws: CertAuthorityError.self) { try await scene.chain(question) }
        #expect(error?.code == .invalidRequest)
    }

    @Test func aStoryHasABoundAndSaysSo() async throws {
        let scene = try await Scene()
        var place: UInt64 = 0
        for _ in 0..<5 {
            let events = (0..<Fleet.maximumEvents).map { _ in
                place += 1
                return HostEvent(
                    kind: .opened, sequence: place, recordHash: Digest.sha256(Array("\(place)".utf8)),
                    previousHash: Digest.sha256(Array("\(place - 1)".utf8)), happened: place,
                    session: "s\(place % 3)", account: "root", sourceAddress: "", method: "publickey",
                    proof: .certificate(scene.shown), reason: "")
            }
            _ = try await scene.fleet.take(events, from: scene.host)
        }
        let chain = try await scene.chain(.request(scene.request.id))
        #expect(chain.isCut && chain.steps.count { $0.kind == .hostLogin } == 1_000)
        #expect(chain.steps.prefix(5).map(\.kind) == Array(Self.whole.prefix(5)))
    }

    @Test func theAPIAsksForOneThing() async throws {
        try await TestPlane.with { plane in
            let admin = try await plane.parts.session("admin@example.com")
            let alice = try await plane.parts.session("alice@example.com")
            let bob = try await plane.parts.session("bob@example.com")
            let outcome = try await plane.authority.issue(
                try plane.parts.wish(), for: alice.session, from: nil)
            let serial = try #require(outcome.certificate).fields.serial
            for session in [admin, alice] {
                let answer = try await plane.send(TestRequest("GET", "/v1/why?serial=\(serial)", by: session))
                let chain = try ChainInfo(json: try #require(answer.json))
                #expect(chain.steps.map(\.step) == ["login", "decision", "certificate"])
            }
            #expect(
                try await plane.send(TestRequest("GET", "/v1/why?serial=\(serial)", by: bob)).status == 404)
            for query in ["", "?serial=x", "?serial=1&request=2", "?host=web1"] {
                #expect(try await plane.send(TestRequest("GET", "/v1/why\(query)", by: admin)).status == 400)
            }
        }
    }
}
