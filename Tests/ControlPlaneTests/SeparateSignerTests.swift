// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlClient
import Foundation
import SSHWire
import Synchronization
import TestSupport
import Testing

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

@Suite(
    "A signer in an account of its own", .serialized,
    .enabled(if: TwoAccounts.canRun, "needs root, setpriv, and a build that every account may run"))
struct SeparateSignerTests {
    @Test func certificatesComeFromKeysThatTheServerCannotRead() async throws {
        let plane = try TwoAccounts()
        try plane.split().orThrow("split")
        // In the units' order: the signer is there before anything serves.
        try plane.startSigner()
        try plane.startServer()
        try await plane.withSession { client, session in
            let (certificate, _) = try await TwoAccounts.certificate(client, session, "one")
            let line = try PublicKeyLine(file: try plane.folder.read("keys/user_ca.pub"))
            #expect(try line.content.plainKey("CA key") == certificate.fields.signatureKey)

            for path in [
                plane.keys, plane.keys + "/user_ca", plane.keys + "/host_ca", plane.keys + "/config.yaml",
            ] {
                let tried = try TwoAccounts.run(TwoAccounts.server, "/bin/ls", ["-l", path])
                #expect(!tried.succeeded && tried.stderrText.contains("ermission denied"), "\(tried)")
            }
            for path in ["user_ca", "host_ca"] {
                let tried = try TwoAccounts.run(TwoAccounts.server, "/bin/cat", ["\(plane.keys)/\(path)"])
                #expect(
                    !tried.succeeded && tried.stdout.isEmpty && tried.stderrText.contains("ermission denied"))
                #expect(!plane.folder.contains("home/\(path)"))
            }
            // Nor what the signer has in memory, nor can it be stopped.
            let pid = try #require(plane.signing?.pid)
            for path in ["/proc/\(pid)/mem", "/proc/\(pid)/environ"] {
                #expect(try !TwoAccounts.run(TwoAccounts.server, "/bin/cat", [path]).succeeded)
            }
            #expect(try !TwoAccounts.run(TwoAccounts.server, "/bin/kill", ["-9", "\(pid)"]).succeeded)
        }
        #expect(plane.stopServer() == .exited(0))
    }

    @Test func theSignerReadsTheDatabaseAndNothingElseOfTheServers() throws {
        let plane = try TwoAccounts()
        try plane.split().orThrow("split")
        for name in ["", "/log_key", "/tls", "/tls/root.key", "/daypassd.yaml", "/policy.yaml"] {
            let tried = try TwoAccounts.run(TwoAccounts.signer, "/bin/ls", ["-l", plane.home + name])
            let read = try TwoAccounts.run(TwoAccounts.signer, "/bin/cat", [plane.home + name])
            #expect(!read.succeeded && read.stdout.isEmpty, "\(name)")
            #expect(name.contains("/") || !tried.succeeded)
        }
        #expect(
            try TwoAccounts.run(
                TwoAccounts.signer, "/usr/bin/head", ["-c", "6", plane.home + "/ledger.sqlite"]
            )
            .stdoutText == "SQLite")
        for name in ["ledger.sqlite", "new"] {
            let tried = try TwoAccounts.run(TwoAccounts.signer, "/usr/bin/touch", ["\(plane.home)/\(name)"])
            #expect(!tried.succeeded)
        }
        // Strangers see neither.
        for path in [plane.home + "/ledger.sqlite", plane.keys + "/user_ca.pub"] {
            #expect(try !TwoAccounts.run(TwoAccounts.stranger, "/bin/cat", [path]).succeeded)
        }
    }

    @Test(.enabled(if: (try? Tool.find("perl")) != nil, "needs perl")) func onlyTheServersAccountIsAnswered()
        throws
    {
        let plane = try TwoAccounts()
        try plane.split().orThrow("split")
        try plane.startSigner()
        #expect(try plane.folder.mode(of: "run/signer.sock") == 0o660)
        /// Whether the signer said anything to order 7, be it that it can't read the log yet.
        func isAnswered(_ account: TwoAccounts.Account) throws -> Bool {
            try TwoAccounts.order(account, plane.socket).dropFirst(8).hasPrefix("0000000000000007")
        }
        #expect(try isAnswered(TwoAccounts.server))
        #expect(try TwoAccounts.order(TwoAccounts.stranger, plane.socket) == "Permission denied")
        // The group's mode lets a stranger in the group connect, and root; the peer's account is looked at.
        let group = [TwoAccounts.server.group]
        #expect(try TwoAccounts.order(TwoAccounts.stranger, plane.socket, groups: group) == "hung up")
        #expect(try TwoAccounts.order(TwoAccounts.signer, plane.socket) == "hung up")
        #expect(try TwoAccounts.order(nil, plane.socket) == "hung up")
        #expect(try isAnswered(TwoAccounts.server))
    }

    /// What the clients have, and whether they may stop.
    private final class Tally: Sendable {
        let state = Mutex((held: [(certificate: Certificate, index: UInt64)](), isOver: false))
    }

    @Test func clientsRecoverWhenSignerAndServerAreKilledUnderLoad() async throws {
        let plane = try TwoAccounts()
        try plane.split().orThrow("split")
        try plane.startSigner()
        try plane.startServer()
        let tally = Tally()
        try await plane.withSession { client, session in
            let clients = 8
            /// Waits until each client may have got another one.
            func progress() async throws {
                let before = tally.state.withLock { $0.held.count }
                for _ in 0..<6_000 where tally.state.withLock({ $0.held.count }) < before + 2 * clients {
                    try await Task.sleep(for: .milliseconds(10))
                }
                try #require(tally.state.withLock { $0.held.count } >= before + 2 * clients)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<clients {
                    group.addTask {
                        var count = 0
                        while !tally.state.withLock({ $0.isOver }) {
                            count += 1
                            let issued = try await TwoAccounts.certificate(
                                client, session, "\(number)-\(count)")
                            tally.state.withLock { $0.held.append(issued) }
                        }
                    }
                }
                try await progress()
                for _ in 0..<2 {
                    plane.killSigner()
                    try plane.startSigner()
                    try await progress()
                    // With the signer still there, which holds the database open.
                    plane.killServer()
                    try plane.startServer()
                    try await progress()
                }
                // Both, so that nobody holds it, and the signer is first and can't mend what is left.
                plane.killServer()
                plane.killSigner()
                try plane.startSigner()
                try plane.startServer()
                try await progress()
                tally.state.withLock { $0.isOver = true }
                try await group.waitForAll()
            }
        }
        #expect(plane.stopServer() == .exited(0))
        // Ended in order, nobody else having it open: the files beside the database are gone, and come back readable.
        plane.killSigner()
        try TwoAccounts.daypassd(TwoAccounts.server, ["check", "--home", plane.home]).orThrow("check")
        let held = tally.state.withLock { $0.held }
        #expect(Set(held.map(\.certificate.fields.serial)).count == held.count)
        #expect(Set(held.map(\.index)).count == held.count)
        let verified = try TwoAccounts.run(
            TwoAccounts.server, try BuiltProduct.path("daypass"), ["log", "verify", "--home", plane.home])
        try verified.orThrow("log verify")
    }

    @Test func aSignerThatStartsWithoutTheFilesBesideTheDatabaseSignsOnceTheServerRuns() async throws {
        let plane = try TwoAccounts()
        try plane.split().orThrow("split")
        for name in ["ledger.sqlite-wal", "ledger.sqlite-shm"] where plane.folder.contains("home/\(name)") {
            try Tool.run("rm", ["\(plane.home)/\(name)"]).orThrow("rm")
        }
        try plane.startSigner()
        #expect(try plane.folder.readText("signer.log").contains("can't be read yet"))
        try plane.startServer()
        try await plane.withSession { client, session in
            _ = try await TwoAccounts.certificate(client, session, "one")
        }
    }

    @Test func anotherDatabaseInItsPlaceIsTheOneThatIsSigned() async throws {
        let plane = try TwoAccounts()
        try plane.split().orThrow("split")
        try plane.startSigner()
        try plane.startServer()
        try await plane.withSession { client, session in
            _ = try await TwoAccounts.certificate(client, session, "one")
            #expect(plane.stopServer() == .exited(0))
            // The signer runs on; the database is another file with the same name.
            for command in [
                "cp -p ledger.sqlite copy; cp -p ledger.sqlite-wal copy-wal", "rm -f ledger.sqlite*",
                "mv copy ledger.sqlite; mv copy-wal ledger.sqlite-wal",
            ] {
                try Tool.run("sh", ["-c", command], in: plane.home).orThrow(command)
            }
            try plane.startServer()
            _ = try await TwoAccounts.certificate(client, session, "two")
        }
    }

    @Test func theBoundsThatTheServerCanWriteAreNotTheSigners() async throws {
        let plane = try TwoAccounts()
        try plane.split().orThrow("split")
        // The server's config.yaml allows a day, and its policy ten minutes; the signer's own five.
        let given = try plane.folder.readText("keys/config.yaml")
        let narrow = given.replacing("max_lifetime: 1d", with: "max_lifetime: 5m")
            .replacing("default_lifetime: 8h", with: "default_lifetime: 5m")
        try #require(narrow != given)
        try plane.folder.write(narrow, to: "keys/config.yaml")
        try plane.startSigner()
        try plane.startServer()
        // A patient client waits for the server to be there; the next one is told at once.
        try await plane.withSession { _, _ in }
        try await plane.withSession(patience: .seconds(1)) { client, session in
            await #expect(throws: (any Error).self) {
                try await TwoAccounts.certificate(client, session, "long")
            }
        }
        let log = try TwoAccounts.run(
            TwoAccounts.server, try BuiltProduct.path("daypass"),
            ["log", "list", "--home", plane.home, "--format", "json"]
        ).orThrow("log list").stdoutText
        // It is recorded: what fails is the signature.
        #expect(log.contains("\"issued\""))
        plane.killSigner()
        try plane.folder.write(given, to: "keys/config.yaml")
        try plane.startSigner()
        try await plane.withSession { client, session in
            _ = try await TwoAccounts.certificate(client, session, "again")
        }
    }
}
