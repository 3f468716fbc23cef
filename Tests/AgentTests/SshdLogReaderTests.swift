// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import Testing

@Suite struct SshdLogReaderTests {
    private func entry(_ pid: Int32, _ text: String, _ sender: SshdLogSender = .unproven) -> SshdLogEntry {
        SshdLogEntry(
            time: .wall(0), program: "sshd", pid: pid, sender: sender, message: Array(text.utf8), origin: "")
    }
    private func accepted(_ pid: Int32, _ port: UInt16, _ account: String = "root") -> SshdLogEntry {
        entry(
            pid, "Accepted publickey for \(account) from 192.0.2.7 port \(port) ssh2: ED25519 SHA256:x",
            .user(0))
    }

    @Test func aConnectionIsToldFromItsOpeningToItsEnd() {
        var reader = SshdLogReader { $0 == "bob" ? 1_000 : nil }
        #expect(reader.read(entry(5, "Connection from 192.0.2.7 port 9 on 192.0.2.1 port 22")).isEmpty)
        let opened = reader.read(accepted(5, 9, "bob"))
        #expect(opened.count == 1)
        #expect(opened.first?.connection.local == SshdLogPeer(address: "192.0.2.1", port: 22))
        #expect(reader.read(entry(5, "User child is on pid 6", .user(0))).isEmpty)
        #expect(reader.open.map(\.pid) == [5])
        // The same again is no second login.
        #expect(reader.read(accepted(5, 9, "bob")).isEmpty)
        #expect(
            reader.read(entry(6, "Received disconnect from 192.0.2.7 port 9:11: bye", .user(1_000))).isEmpty)
        let ended = reader.read(entry(6, "Disconnected from user bob 192.0.2.7 port 9", .user(1_000)))
        #expect(ended.map(\.kind) == [.ended(cause: "disconnect received:11: bye")])
        #expect(ended.first?.connection.pid == 5)
        #expect(ended.first?.connection.childPID == 6)
        #expect(reader.open.isEmpty)
        #expect(reader.read(entry(6, "Disconnected from user bob 192.0.2.7 port 9", .user(1_000))).isEmpty)
    }

    @Test func attack40_anAccountCanEndNoSessionButItsOwn() {
        var reader = SshdLogReader { $0 == "bob" ? 1_000 : $0 == "root" ? 0 : nil }
        _ = reader.read(accepted(5, 9))
        for sender in [SshdLogSender.user(1_000), .goneUser(1_000)] {
            #expect(reader.read(entry(7, "Connection closed by 192.0.2.7 port 9", sender)).isEmpty)
            #expect(
                reader.read(entry(7, "Accepted publickey for root from 1.2.3.4 port 5 ssh2", sender)).isEmpty)
            #expect(reader.read(entry(7, "Invalid user x from 1.2.3.4 port 5", sender)).isEmpty)
        }
        #expect(reader.read(entry(5, "Connection closed by 192.0.2.7 port 9", .user(0))).count == 1)
    }

    @Test func aProcessNumberThatComesBackEndsWhatWasNotSeenToEnd() {
        var reader = SshdLogReader()
        _ = reader.read(accepted(5, 9))
        let events = reader.read(accepted(5, 10))
        #expect(events.count == 2)
        #expect(events.first?.kind == .ended(cause: "not seen"))
        #expect(events.first?.connection.peer?.port == 9)
        #expect(reader.open.map(\.peer?.port) == [10])
    }

    @Test func aFloodOfConnectionsPushesOutItsOwn() {
        var reader = SshdLogReader()
        _ = reader.read(accepted(1, 9))
        for pid in 2..<Int32(SshdLogReader.maximumConnections + 100) {
            _ = reader.read(entry(pid, "Connection from 192.0.2.9 port 9 on 192.0.2.1 port 22"))
        }
        #expect(reader.forgotten == 99)
        #expect(reader.open.map(\.pid) == [1])
    }

    @Test func theReasonBeforeAFailureIsItsReason() {
        var reader = SshdLogReader()
        #expect(reader.read(entry(5, "error: Certificate invalid: expired")).count == 1)
        let events = reader.read(
            entry(
                5,
                "Failed publickey for root from 192.0.2.7 port 9 ssh2: ED25519-CERT SHA256:x ID k (serial 4) CA ED25519 SHA256:y"
            ))
        guard case .refused(let reason, let refusal)? = events.first?.kind else {
            Issue.record("no refusal")
            return
        }
        #expect(reason == "Certificate invalid: expired")
        #expect(refusal.certificate?.serial == 4)
    }

    @Test func eventsBecomeSessionRecords() throws {
        var reader = SshdLogReader()
        let place = SshdLogEvent.Place(
            time: RecordTime(nanoseconds: 1), uptimeMicroseconds: 2, boot: "boot", processStart: 3)
        let login = reader.read(
            entry(
                5,
                "Accepted publickey for bob from 192.0.2.7 port 9 ssh2: ED25519-CERT SHA256:x ID alice#4 (serial 4) CA ED25519 SHA256:y"
            ))
        let open = try #require(login.first?.sessionEvent(at: place, trusted: ["SHA256:y": "ca"]))
        #expect(open.kind == .open)
        #expect(open.via == .log)
        #expect(open.account == "bob")
        #expect(open.certificate?.identity == "alice")
        #expect(open.certificate?.authority.isTrusted == true)
        #expect(open.certificate?.authority.name == "ca")
        let end = reader.read(entry(5, "Connection closed by 192.0.2.7 port 9"))
        let close = try #require(end.first?.sessionEvent(at: place, trusted: [:]))
        #expect(close.kind == .close)
        #expect(close.session == open.session)
        // A client's other keys are no news; a certificate that was refused is.
        let plain = reader.read(
            entry(6, "Failed publickey for root from 192.0.2.7 port 9 ssh2: ED25519 SHA256:x"))
        #expect(plain.first?.sessionEvent(at: place, trusted: [:]) == nil)
        let refused = reader.read(entry(7, "error: Certificate invalid: expired"))
        #expect(refused.first?.sessionEvent(at: place, trusted: [:])?.kind == .denied)
    }
}
