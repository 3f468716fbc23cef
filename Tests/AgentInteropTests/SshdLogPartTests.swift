// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Agent
import ControlProtocol
import Foundation
import TestSupport
import Testing

@Suite(
    .enabled(
        if: Running.asRoot && Running.withSSHD && SshdLogHost.withRsyslog, "needs root, sshd and rsyslogd"))
struct SshdLogPartTests {
    @Test func aSessionKeepsItsNameOverARestartAndIsRecordedOnce() throws {
        let host = try SshdLogHost(.rsyslog, logLevel: "INFO")
        let layout = HostLayout(configuration: host.folder.path, state: host.folder.path("state"))
        try host.folder.makeFolder("state")
        try host.folder.write(try host.folder.read("ca.pub"), to: "user_ca_keys", mode: 0o644)
        try SshdLogHost.certificate(host.folder, "good", ["-I", "alice#7", "-z", "7", "-n", "root"])
        let boot = ProcessTable.bootID()
        func part() throws -> SshdLogPart {
            try SshdLogPart(source: .file(host.folder.path("iso.log")), layout: layout, boot: boot)
        }
        var events: [SessionEvent] = []
        var tracker = SessionTracker(boot: boot)
        func take(_ part: SshdLogPart) throws {
            for event in try part.tick(at: .now) { events += tracker.take(event) }
            part.recorded()
        }

        let first = try part()
        let done = host.folder.path("done")
        let held = Held {
            _ = try? host.sshd.login(
                identity: host.folder.path("good"), command: "while [ ! -e \(done) ]; do sleep 0.05; done")
        }
        try SshdLogHost.wait {
            try take(first); return events.contains { $0.kind == .open }
        }
        let open = try #require(events.first)
        #expect(open.certificate?.keyID == "alice#7")
        #expect(open.certificate?.authority.isTrusted == true)
        #expect(tracker.live.count == 1)
        let pid = try #require(open.pid)
        let start = try #require(ProcessTable.process(pid)?.start)
        #expect(open.processStart == start)
        #expect(open.session == SessionID.make(boot: boot, pid: pid, processStart: start))

        // Another agent goes on: nothing is repeated, and the end has the session's name.
        let second = try part()
        try take(second)
        #expect(events.count == 1)
        try host.folder.write("", to: "done")
        held.wait()
        try SshdLogHost.wait {
            try take(second); return events.count >= 2
        }
        #expect(events.map(\.kind) == [.open, .close])
        #expect(events.last?.session == open.session)
        #expect(events.last?.durationMicroseconds != nil)
        #expect(tracker.live.isEmpty)
        try take(second)
        let third = try part()
        try take(third)
        #expect(events.count == 2)
    }
}

/// Work on a thread of its own, which can be waited for.
private final class Held: Sendable {
    private let group = DispatchGroup()

    init(_ work: @escaping @Sendable () -> Void) {
        DispatchQueue.global().async(group: group, execute: work)
    }

    func wait() { group.wait() }
}
