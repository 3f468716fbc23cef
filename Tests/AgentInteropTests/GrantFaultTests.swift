// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// One operation fails, or the process dies at it, for operations of a grant, of its end and of a sweep, with the real
/// useradd, gpasswd and visudo: sudo can always read its files, and a sweep ends in all or nothing.
///
/// An ordinary run takes some of the places of each kind. `DAYPASS_FAULT_STRIDE=1` takes them all.
@Suite(
    "Grants that are interrupted", .serialized, .enabled(if: Running.asRoot, "needs root"),
    .enabled(if: Running.withSSHD, "needs an OpenSSH server"), .enabled(if: Running.withSudo, "needs sudo"))
struct GrantFaultTests {
    private static let kinds = [
        "fail", "fail-after", "kill", "kill-after", "kill-within", "program", "program-status",
        "kill-before-program", "kill-after-program",
    ]
    private let bench: GrantFaultBench

    init() throws { bench = try GrantFaultBench() }

    @Test func aGrantThatFailsOrIsKilledAnywhereIsThereWholeOrNotAtAll() throws {
        for kind in Self.kinds { try bench.interrupt("grant", kind, isGranted: false, stride: 5) }
        bench.report("grants")
        #expect(bench.cases > 20)
    }

    @Test func anEndThatFailsOrIsKilledAnywhereIsBroughtToItsEnd() throws {
        for kind in Self.kinds { try bench.interrupt("revoke", kind, isGranted: true, stride: 7) }
        bench.report("ends")
        #expect(bench.cases > 10)
    }

    @Test func anExpiryThatFailsOrIsKilledAnywhereIsBroughtToItsEnd() throws {
        for kind in Self.kinds { try bench.interrupt("expire", kind, isGranted: true, stride: 9) }
        bench.report("expiries")
        #expect(bench.cases > 8)
    }
}

/// A host that is brought to a state, interrupted, looked at and swept, over and over.
final class GrantFaultBench {
    private let system: PrivateSystem
    private let probe: String
    private(set) var cases = 0
    private var killed = 0
    private var failed = 0
    private var whole = 0
    private var absent = 0
    private var rows = 0
    private let start = ContinuousClock.now

    init() throws {
        system = try PrivateSystem()
        probe = try BuiltProduct.path("TrustFaultProbe")
        try Tool.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", system.path("key")])
            .orThrow("make a key")
    }

    func report(_ what: String) {
        print(
            "\(what): \(cases) cases, \(killed) killed, \(failed) failed; \(whole) ended granted, \(absent) without; "
                + "\(ContinuousClock.now - start)")
    }

    func interrupt(_ action: String, _ kind: String, isGranted: Bool, stride step: Int) throws {
        let step = ProcessInfo.processInfo.environment["DAYPASS_FAULT_STRIDE"].flatMap { Int($0) } ?? step
        rows += 1
        for place in stride(from: 1 + rows % max(1, step), to: 1_000, by: max(1, step)) {
            try prepare(isGranted: isGranted)
            let result = try run(action, kind, place)
            let label = "\(action), \(kind) at \(place): \(result)"
            guard result.status != 0 else { return }
            cases += 1
            if result.signal != nil { killed += 1 } else { failed += 1 }
            try #require(result.signal == 9 || [10, 20].contains(result.status), "\(label)")
            try lookAtSudo(label)
            try settle(action, label)
            try lookAtSudo(label)
            let now = try state()
            #expect(now == .whole || now == .absent, "\(label): \(now)")
            if now == .whole { whole += 1 } else { absent += 1 }
            if action == "grant", result.status == 10 { #expect(now == .absent, "\(label)") }
            if action == "grant", result.status == 20 { #expect(now == .whole, "\(label)") }
            if action == "expire" { #expect(now == .absent, "\(label)") }
            if action == "revoke", result.status == 20 { #expect(now == .absent, "\(label)") }
            // Whoever asks again gets an answer that is true.
            if action != "expire" {
                let again = try run(action == "grant" && now == .whole ? "grant-again" : "revoke", "none", 1)
                #expect(again.succeeded, "\(label), again: \(again)")
                #expect(try state() == .absent, "\(label), again")
            }
        }
    }

    private func prepare(isGranted: Bool) throws {
        try system.reset()
        try system.folder.write(
            "AuthorizedKeysFile .ssh/authorized_keys /etc/daypass/granted_keys/%u\nHostKey \(system.path("key"))\n",
            to: "etc/ssh/sshd_config", mode: 0o644)
        guard isGranted else { return }
        try run("grant", "none", 1).orThrow("grant")
        #expect(try state() == .whole)
    }

    /// What the next start of the agent does; what failed once is tried again.
    private func settle(_ action: String, _ label: String) throws {
        let sweep = action == "expire" ? "expire" : "sweep"
        let result = try run(sweep, "none", 1)
        #expect(result.succeeded, "\(label), sweep: \(result)")
        let before = try names()
        try run(sweep, "none", 1).orThrow("second sweep")
        #expect(try names() == before, "\(label): the second sweep did something")
    }

    private func run(_ action: String, _ kind: String, _ place: Int) throws -> ToolResult {
        let action = action == "grant-again" ? "revoke" : action
        return try system.run([probe, action, system.folder.path, kind, "\(place)"])
    }

    private func lookAtSudo(_ label: String) throws {
        let check = try system.run(["visudo", "-c"])
        #expect(check.succeeded, "\(label): \(check)")
    }

    enum State: Equatable {
        case whole, absent
        case partial(String)
    }

    /// How much of the grant is there.
    private func state() throws -> State {
        let folder = system.folder
        let passwd = try folder.readText("etc/passwd")
        let parts = [
            "sudo": folder.contains("etc/sudoers.d/daypass-req+1"),
            "keys": folder.contains("etc/daypass/granted_keys/carol"),
            "group": try folder.readText("etc/group").split(separator: "\n").contains {
                $0.hasPrefix("audio:") && $0.hasSuffix("carol")
            },
            "account": try passwd.contains("\ncarol:")
                && !folder.readText("etc/shadow").split(separator: "\n").contains {
                    $0.hasPrefix("carol:") && $0.hasSuffix(":1:")
                },
        ]
        let there = parts.filter(\.value).keys.sorted()
        if there.count == parts.count { return .whole }
        return there.isEmpty ? .absent : .partial(there.joined(separator: ", "))
    }

    private func names() throws -> [String] {
        try ["etc/sudoers.d", "etc/daypass/granted_keys", "state/grants", "state/grant-accounts"].flatMap {
            name in
            guard system.folder.contains(name) else { return [String]() }
            return try FileManager.default.contentsOfDirectory(atPath: system.path(name)).sorted()
        }
    }
}
