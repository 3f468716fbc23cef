// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import SSHWire
import TestSupport
import Testing

@Suite("Registrations as they are printed") struct RegistrationRequestTests {
    private let folder: TemporaryFolder
    private let hostKey: PublicKey
    private let registration: HostRegistration

    init() throws {
        folder = try TemporaryFolder()
        hostKey = try PrivateKey.generate(.ed25519, comment: "").publicKey
        try folder.write("\(hostKey.text) root@web1\n", to: "ssh_host_ed25519_key.pub")
        registration = try HostRegistration(
            hostName: "web1", key: try HostKey.generate().publicKey, labels: ["env=prod", "a: \"b\""],
            hostKeyFolder: folder.path)
    }

    private var value: JSONValue { registration.value(at: UnixTime(seconds: 1_795_206_096)) }

    private func parse(_ text: String) throws -> RegistrationRequest {
        try RegistrationRequest(parsing: Array(text.utf8))
    }

    /// The same in every form in which it is printed.
    @Test func everyFormSaysTheSame() throws {
        guard case .object(let members) = value else { return }
        let base64 = Base64.encode(Array(value.text.utf8))
        let wrapped = stride(from: 0, to: base64.utf8.count, by: 80).map { start in
            String(decoding: Array(base64.utf8).dropFirst(start).prefix(80), as: UTF8.self)
        }.joined(separator: "\r\n")
        let forms = [
            value.text, "\n \(value.text)\n", members.map { "\($0.name): \($0.value.text)\n" }.joined(),
            base64, wrapped + "\n", #"{"key":"\#(base64)"}"#,
        ]
        for form in forms {
            let request = try parse(form)
            #expect(request.hostName == "web1" && request.key == registration.key, "\(form)")
            #expect(request.hostKey == hostKey && request.labels == ["env=prod", "a: \"b\""])
            #expect(request.time == UnixTime(seconds: 1_795_206_096) && request.clientID == nil)
            #expect(try RegistrationRequest.value(parsing: Array(form.utf8)) == value)
        }
        let posted = try RegistrationRequest(
            p0Body: registration.p0Body(at: UnixTime(seconds: 1_795_206_096)))
        #expect(try posted == parse(value.text))
    }

    @Test(arguments: [
        "", " ", "{", "[]", "null", "hostname web1", "hostname: web1",
        "hostname: \"web1\"\nhostname: \"web2\"",
        ": 1", "e30=", "e30", "!!!!", "{\"key\":\"e30=\"}", "{\"key\":7}", "hostname: \"web1\u{0}\"",
        String(repeating: "A", count: RegistrationRequest.maximumBytes + 1),
        "{" + String(repeating: " ", count: RegistrationRequest.maximumBytes) + "}",
    ])
    func whatIsNoneIsRefused(text: String) {
        #expect(throws: ControlProtocolError.self) { try parse(text) }
    }

    @Test func everyPrefixIsRefused() throws {
        let bytes = Array(value.text.utf8)
        for count in bytes.indices {
            #expect(throws: ControlProtocolError.self) {
                try RegistrationRequest(parsing: Array(bytes[..<count]))
            }
        }
    }

    @Test func everySingleByteMayChangeAndNothingIsBelievedThatIsNotWhole() throws {
        let bytes = Array(value.text.utf8)
        for index in bytes.indices {
            for flip in [UInt8(0x01), 0x20, 0x80] {
                var changed = bytes
                changed[index] ^= flip
                guard let request = try? RegistrationRequest(parsing: changed) else { continue }
                #expect(request.key == registration.key && request.hostKey == hostKey, "byte \(index)")
            }
        }
    }

    @Test func whatTheAgentCallsItselfIsOneThing() throws {
        guard case .object(let members) = value else { return }
        func with(_ more: [String: String]) throws -> String? {
            try RegistrationRequest(
                json: .object(members + more.map { JSONValue.Member($0.key, .string($0.value)) })
            ).clientID
        }
        #expect(try with(["orgId": "acme", "hostId": "h1"]) == "acme:h1:ssh")
        #expect(try with(["orgId": "acme", "hostId": "h1", "clientId": "acme:h1:ssh"]) == "acme:h1:ssh")
        #expect(try with(["clientId": "anything"]) == "anything")
        #expect(try with(["orgId": "acme"]) == nil)
        #expect(try with(["orgId": "", "hostId": "", "clientId": ""]) == nil)
        #expect(throws: ControlProtocolError.self) {
            try with(["orgId": "acme", "hostId": "h1", "clientId": "acme:h2:ssh"])
        }
        #expect(throws: ControlProtocolError.self) { try with(["orgId": "a:b", "hostId": "h1"]) }
        #expect(throws: ControlProtocolError.self) {
            try with(["clientId": String(repeating: "a", count: 256)])
        }
    }
}
