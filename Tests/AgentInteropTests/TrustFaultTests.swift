// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import SSHWire
import TestSupport
import Testing

/// One operation fails, or the process is killed at it, for every operation of an install, a removal and a recovery:
/// sshd can always be started, the administrator's key always lets in, and a recovery ends in all or nothing.
///
/// An ordinary run takes some of the places of each kind, others for each. `DAYPASS_FAULT_STRIDE=1` takes them all,
/// `DAYPASS_FAULT_LOGINS=1` also does it for a running sshd and the proof by logins, with a real login after each case.
@Suite("Trust whose change is interrupted", .serialized, .enabled(if: Running.asRoot, "needs root"))
struct TrustFaultTests {
    /// The kinds of fault at file operations and at programs.
    private static let kinds = [
        "fail", "fail-after", "kill", "kill-after", "kill-within", "program", "program-status",
        "kill-before-program", "kill-after-program",
    ]
    private static let isLong = ProcessInfo.processInfo.environment["DAYPASS_FAULT_LOGINS"] == "1"

    @Test func attack58_anInstallThatFailsOrIsKilledAnywhereLeavesALoadableServer() throws {
        let bench = try FaultBench()
        for kind in Self.kinds { try bench.interrupt("install", kind, from: bench.before, stride: 6) }
        bench.report("install")
        #expect(bench.cases > 30)
    }

    @Test func attack58_aRemovalThatFailsOrIsKilledAnywhereLeavesALoadableServer() throws {
        let bench = try FaultBench()
        for kind in Self.kinds { try bench.interrupt("remove", kind, from: bench.installed, stride: 10) }
        bench.report("removal")
        #expect(bench.cases > 15)
    }

    @Test func aRecoveryThatIsKilledIsRecoveredFrom() throws {
        let bench = try FaultBench()
        for kind in ["fail", "kill-after", "kill-within", "kill-after-program"] {
            try bench.interruptRecovery(kind, stride: 12)
        }
        bench.report("recovery")
        #expect(bench.cases > 8)
    }

    @Test(.enabled(if: isLong, "takes minutes: DAYPASS_FAULT_LOGINS=1"))
    func theSameHoldsWhileSshdRunsAndLoginsProveIt() throws {
        let bench = try FaultBench(logsIn: true)
        for kind in Self.kinds {
            try bench.interrupt("install", kind, from: bench.before, stride: 1)
            try bench.interrupt("remove", kind, from: bench.installed, stride: 1)
        }
        bench.report("install and removal with a running sshd")
    }
}

/// A host that is brought to a state, interrupted, looked at and recovered, over and over.
final class FaultBench {
    let host: PrivateHost
    let before: [String: [UInt8]]
    let installed: [String: [UInt8]]
    private(set) var cases = 0
    private var killed = 0
    private var failed = 0
    private var logins = 0
    private var undone = 0
    private var kept = 0
    private var rows = 0
    private let probe: String
    private let logsIn: Bool
    private let start = ContinuousClock.now
    private var server: ChildProcess?
    /// With how many cases between a server is started and logged in to.
    private let loginInterval = 8

    init(logsIn: Bool = false) throws {
        self.logsIn = logsIn
        probe = try BuiltProduct.path("TrustFaultProbe")
        host = try PrivateHost(lines: ["UsePAM no"])
        for name in ["ca", "user"] {
            try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", host.path(name)])
                .orThrow("make \(name)")
        }
        if logsIn {
            let server = try host.start()
            self.server = server
            try host.folder.write("/bin/kill\n-HUP\n\(server.pid)\n", to: "reload")
        } else {
            try host.folder.write("/bin/true\n", to: "reload")
        }
        before = try host.tree()
        let arguments = ["install", host.folder.path, "none", "1"]
        try Tool.run(probe, arguments).orThrow("install")
        installed = try host.tree()
        try Tool.run(probe, ["remove", host.folder.path, "none", "1"]).orThrow("remove")
        let after = try host.tree()
        #expect(after == before, "remove is not the way back")
        #expect(installed != before)
    }

    func report(_ what: String) {
        print(
            "\(what): \(cases) cases, \(killed) killed, \(failed) failed; \(undone) ended as before, \(kept) installed "
                + "or removed; \(logins) logins by the administrator's static key; \(ContinuousClock.now - start)"
        )
    }

    /// Interrupts a change at each of its operations.
    ///
    /// - Parameter step: how many places lie between two that are taken.
    func interrupt(
        _ action: String, _ kind: String, from state: [String: [UInt8]], stride step: Int
    ) throws {
        for place in places(step) {
            try bring(to: state)
            let result = try run(action, kind, place)
            let label = "\(action), \(kind) at \(place): \(result)"
            guard result.status != 0 else { return }
            cases += 1
            if result.signal != nil { killed += 1 } else { failed += 1 }
            try #require(result.signal == 9 || [10, 20].contains(result.status), "\(label)")
            try look(label)
            if result.status == 10, result.stdoutText.contains("nothing has changed") {
                let now = try host.tree()
                #expect(now == state, "\(label): \(difference(now, state))")
            }
            try recover(label)
            let now = try host.tree()
            if now == before { undone += 1 } else { kept += 1 }
            if result.status == 20 { #expect(now == (action == "install" ? installed : before), "\(label)") }
        }
    }

    /// Kills an install at some points, and the recovery from it at each of its own.
    func interruptRecovery(_ kind: String, stride step: Int) throws {
        for point in [5, 9, 14, 18] {
            for place in places(step) {
                try bring(to: before)
                let killed = try run("install", "kill-after", point)
                try #require(killed.signal == 9, "point \(point): \(killed)")
                let result = try run("recover", kind, place)
                guard result.status != 0 else { break }
                cases += 1
                if result.signal != nil { self.killed += 1 } else { failed += 1 }
                let label = "recovery from \(point), \(kind) at \(place): \(result)"
                try look(label)
                try recover(label)
                let now = try host.tree()
                if now == before { undone += 1 } else { kept += 1 }
            }
        }
    }

    /// The places of one row of cases; another row begins elsewhere.
    private func places(_ step: Int) -> StrideTo<Int> {
        let step = ProcessInfo.processInfo.environment["DAYPASS_FAULT_STRIDE"].flatMap { Int($0) } ?? step
        rows += 1
        // More operations than a change has.
        return stride(from: 1 + rows % max(1, step), to: 1_000, by: max(1, step))
    }

    private func run(_ action: String, _ kind: String, _ place: Int) throws -> ToolResult {
        try Tool.run(
            probe,
            [action, host.folder.path, kind, "\(place)"] + (logsIn && action == "install" ? ["login"] : []))
    }

    /// What must hold at every moment: sshd would start, what it names is there and usable, and the administrator gets
    /// in.
    private func look(_ label: String) throws {
        let check = try Tool.run("sshd", ["-t", "-f", host.path("sshd_config")])
        #expect(check.succeeded, "\(label): \(check)")
        let settings = try Tool.run("sshd", ["-T", "-f", host.path("sshd_config")]).orThrow(label).stdoutText
        for keyword in ["revokedkeys", "trustedusercakeys"] {
            let line = try #require(settings.split(separator: "\n").first { $0.hasPrefix("\(keyword) ") })
            let path = line.dropFirst(keyword.utf8.count + 1)
            if path == "none" { continue }
            let name = String(path.dropFirst(host.folder.path.utf8.count + 1))
            #expect(host.folder.contains(name), "\(label): \(keyword) names nothing")
        }
        if host.folder.contains("etc/revoked_keys") {
            let bytes = try host.folder.read("etc/revoked_keys")
            #expect(throws: Never.self, "\(label)") { try KeyRevocationList(encoded: bytes) }
        }
        if logsIn {
            logins += 1
            #expect(try host.letsAdministratorIn(), "\(label)")
        } else if cases % loginInterval == 0 {
            // As after a restart of the machine at this very moment.
            let server = try host.start()
            logins += 1
            #expect(try host.letsAdministratorIn(), "\(label)")
            server.stop()
        }
    }

    /// What the next start of the agent does.
    private func recover(_ label: String) throws {
        let result = try run("recover", "none", 1)
        #expect(result.succeeded, "\(label), recovery: \(result)")
        let now = try host.tree()
        #expect(
            now == before || now == installed,
            "\(label): neither \(difference(now, before)) nor \(difference(now, installed))")
        #expect(!host.folder.contains("state/trust.journal"), "\(label)")
        #expect(!host.folder.contains("state/.trust.journal.daypass-new"), "\(label)")
        #expect(!host.folder.contains("run/proof"), "\(label)")
    }

    private func bring(to state: [String: [UInt8]]) throws {
        if try host.tree() == state { return }
        let action = state == installed ? "install" : "remove"
        try Tool.run(probe, [action, host.folder.path, "none", "1"]).orThrow(action)
    }

    private func difference(_ one: [String: [UInt8]], _ other: [String: [UInt8]]) -> String {
        let names = Set(one.keys).union(other.keys).filter { one[$0] != other[$0] }
        return names.sorted().joined(separator: ", ")
    }
}
