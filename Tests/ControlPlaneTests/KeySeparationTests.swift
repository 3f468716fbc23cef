// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
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
    "daypassd split", .serialized,
    .enabled(if: TwoAccounts.canRun, "needs root, setpriv, and a build that every account may run"))
struct KeySeparationTests {
    @Test func keysMoveWithTheirBoundsAndTheServerIsToldTheSocket() throws {
        let plane = try TwoAccounts()
        let before = try (plane.folder.read("home/user_ca"), plane.folder.read("home/config.yaml"))
        let said = try plane.split().orThrow("split")
        #expect(said.stdoutText.contains("removed from \(plane.home): user_ca, host_ca"))
        #expect(said.stderrText.contains("could read them until now"))
        #expect(try plane.folder.read("keys/user_ca") == before.0)
        #expect(try plane.folder.read("keys/config.yaml") == before.1)
        for (name, mode) in [
            ("keys", 0o700), ("keys/user_ca", 0o600), ("keys/host_ca", 0o600), ("keys/config.yaml", 0o600),
            ("home", 0o710), ("home/ledger.sqlite", 0o640), ("home/daypassd.yaml", 0o600),
            ("home/log_key", 0o600),
        ] { #expect(try plane.folder.mode(of: name) == UInt32(mode), "\(name)") }
        #expect(
            try plane.folder.readText("home/daypassd.yaml").contains("signer_socket: \"\(plane.socket)\""))
        #expect(!plane.folder.contains("keys/log_key"))
    }

    @Test func againItChangesNothingAndMendsModes() throws {
        let plane = try TwoAccounts()
        try plane.split().orThrow("split")
        let settings = try plane.folder.read("home/daypassd.yaml")
        try plane.folder.setMode(0o600, of: "home/ledger.sqlite")
        let said = try plane.split().orThrow("split")
        #expect(!said.stdoutText.contains("removed"))
        #expect(try plane.folder.read("home/daypassd.yaml") == settings)
        #expect(try plane.folder.mode(of: "home/ledger.sqlite") == 0o640)
        // The signer's bounds are its own.
        try plane.folder.write(
            try plane.folder.readText("home/config.yaml") + "# wider\n", to: "home/config.yaml")
        try plane.give(plane.home + "/config.yaml", to: TwoAccounts.server)
        #expect(try plane.split().orThrow("split").stderrText.contains("compare them"))
        #expect(try !plane.folder.readText("keys/config.yaml").contains("wider"))
    }

    @Test func whatWasInterruptedGoesOn() throws {
        let plane = try TwoAccounts()
        // As left by one that ended between the first key and the second.
        try plane.makeFolder("keys", of: TwoAccounts.signer, mode: 0o700)
        try plane.folder.write(try plane.folder.read("home/user_ca"), to: "keys/user_ca")
        try plane.give(plane.keys + "/user_ca", to: TwoAccounts.signer)
        try plane.split().orThrow("split")
        #expect(!plane.folder.contains("home/user_ca") && !plane.folder.contains("home/host_ca"))
        try plane.startSigner()
    }

    @Test func accountsThatKeepNothingApartAreRefused() throws {
        let plane = try TwoAccounts()
        for signer in [TwoAccounts.server, TwoAccounts.Account(user: 0, group: 0)] {
            let said = try plane.split(signer: signer)
            #expect(
                said.status == 1 && said.stderrText.contains("hint: name one that has nothing else"),
                "\(said)")
        }
        let own = try TwoAccounts.daypassd(
            TwoAccounts.server,
            ["split", "--home", plane.home, "--signer-user", "61844", "--keys", plane.keys])
        #expect(own.status == 1 && own.stderrText.contains("only root can"))
        let unknown = try Tool.run(
            try BuiltProduct.path("daypassd"),
            ["split", "--home", plane.home, "--signer-user", "no-such-account", "--keys", plane.keys])
        #expect(unknown.status == 1 && unknown.stderrText.contains("there is no account"))
        let below = try Tool.run(
            try BuiltProduct.path("daypassd"),
            ["split", "--home", plane.home, "--signer-user", "61844", "--keys", plane.home + "/keys"])
        #expect(below.status == 1 && below.stderrText.contains("put another in its place"))
        try plane.give(plane.home, to: TwoAccounts.Account(user: 0, group: 0))
        #expect(try plane.split().stderrText.contains("owned by root"))
        #expect(plane.folder.contains("home/user_ca") && !plane.folder.contains("keys"))
    }

    @Test func anotherCAsFolderIsLeftAlone() throws {
        let (plane, other) = (try TwoAccounts(), try TwoAccounts())
        try other.split().orThrow("split")
        let before = try other.folder.read("keys/user_ca")
        let said = try Tool.run(
            try BuiltProduct.path("daypassd"),
            ["split", "--home", plane.home, "--signer-user", "61844", "--keys", other.keys])
        #expect(said.status == 1 && said.stderrText.contains("is another CA's"))
        #expect(try other.folder.read("keys/user_ca") == before)
        #expect(plane.folder.contains("home/user_ca"))
        #expect(try !plane.folder.readText("home/daypassd.yaml").contains("signer_socket"))
    }

    @Test func attack51_aLinkInTheServersFolderLeadsRootNowhere() throws {
        let plane = try TwoAccounts()
        let secret = try plane.folder.write("root's own\n", to: "secret")
        try Tool.run("ln", ["-sf", secret, plane.home + "/user_ca"]).orThrow("ln")
        #expect(try plane.split().stderrText.contains("cannot open"))
        #expect(!plane.folder.contains("keys"))
        // A folder of somebody else's in the signer's place is not filled, a link to one not followed.
        let next = try TwoAccounts()
        try next.makeFolder("theirs", of: TwoAccounts.stranger, mode: 0o777)
        for command in ["ln -s theirs keys", "rm keys && cp -rp theirs keys"] {
            try Tool.run("sh", ["-c", command], in: next.folder.path).orThrow(command)
            #expect(try next.split().status == 1)
            #expect(!next.folder.contains("theirs/user_ca") && !next.folder.contains("keys/user_ca"))
        }
        #expect(next.folder.contains("home/user_ca"))
    }

    @Test func checkWarnsWhileTheServersAccountCanReadTheKeys() throws {
        let plane = try TwoAccounts()
        func check() throws -> String {
            try TwoAccounts.daypassd(TwoAccounts.server, ["check", "--home", plane.home]).orThrow("check")
                .stdoutText
        }
        #expect(try check().contains("ok      signer: a child of serve"))
        #expect(try !check().contains("warning"))
        let key = try plane.folder.read("home/user_ca")
        try plane.split().orThrow("split")
        #expect(try check().contains("nobody answers at \(plane.socket): No such file"))
        try plane.startSigner()
        #expect(try !check().contains("warning"))
        try plane.folder.write(key, to: "home/user_ca")
        try plane.give(plane.home + "/user_ca", to: TwoAccounts.server)
        let said = try check()
        #expect(said.contains("warning signer: the server's account can read \(plane.home)/user_ca: "))
        #expect(said.contains("hint: give the keys an account of their own: sudo daypassd split"))
    }

    @Test func issuingPastTheControlPlaneSaysWhereTheKeyIs() throws {
        let plane = try TwoAccounts()
        try plane.split().orThrow("split")
        let said = try TwoAccounts.run(
            TwoAccounts.server, try BuiltProduct.path("daypass"),
            [
                "issue", "user", "--home", plane.home, "--key", plane.folder.path("admin.pub"), "--identity",
                "a",
                "--principal", "deploy", "-o", "-",
            ])
        #expect(said.status == 1)
        #expect(said.stderrText.contains("there is no \(plane.home)/user_ca"))
        #expect(said.stderrText.contains("only the control plane issues"))
    }

    @Test func aFolderThatOthersReachIsNoPlaceForKeys() throws {
        let plane = try TwoAccounts()
        try plane.split().orThrow("split")
        try plane.folder.setMode(0o750, of: "keys")
        #expect(throws: (any Error).self) { try plane.startSigner() }
        #expect(try plane.folder.readText("signer.log").contains("mode 0750 lets others in"))
        try plane.folder.setMode(0o700, of: "keys")
        try plane.startSigner()
    }

    @Test func theSignersPassphraseMayBeASystemdCredential() throws {
        let root = TwoAccounts.Account(user: 0, group: 0)
        let first = try TemporaryFolder()
        try first.setMode(0o711, of: ".")
        let file = try first.write("correct horse\n", to: "passphrase")
        let plane = try TwoAccounts(
            custody: {
                guard unsafe chown(file, TwoAccounts.server.user, TwoAccounts.server.group) == 0 else {
                    return []
                }
                return ["--passphrase-file", file]
            }())
        try plane.split().orThrow("split")
        #expect(throws: (any Error).self) { try plane.startSigner() }
        #expect(try plane.folder.readText("signer.log").contains("no passphrase is given"))
        // As systemd leaves it: root's, and readable by right of an access control list; here, of root's group.
        let credential = try plane.folder.write("correct horse\n", to: "credential", mode: 0o440)
        try plane.give(credential, to: root)
        let environment = ["DAYPASSD_PASSPHRASE_FILE": credential]
        try plane.startSigner(groups: [0], environment: environment)
        plane.killSigner()
        for mode: mode_t in [0o444, 0o460] {
            try plane.folder.setMode(mode, of: "credential")
            #expect(throws: (any Error).self) { try plane.startSigner(groups: [0], environment: environment) }
        }
        // Another account's is refused, whoever may read it.
        try plane.folder.setMode(0o440, of: "credential")
        try plane.give(credential, to: TwoAccounts.Account(user: TwoAccounts.server.user, group: 0))
        #expect(throws: (any Error).self) { try plane.startSigner(groups: [0], environment: environment) }
    }

    @Test func backupAndRestoreGoThroughSplitAgain() throws {
        let plane = try TwoAccounts()
        try plane.split().orThrow("split")
        let program = try BuiltProduct.path("daypassd")
        try plane.makeFolder("backups", of: TwoAccounts.server, mode: 0o700)
        let without = try TwoAccounts.daypassd(
            TwoAccounts.server,
            ["backup", "--home", plane.home, "--with-keys", plane.folder.path("backups/without")])
        #expect(without.succeeded && without.stderrText.contains("the user CA's private key is not in it"))
        #expect(!plane.folder.contains("backups/without/user_ca"))
        #expect(plane.folder.contains("backups/without/log_key"))
        try Tool.run(
            program,
            [
                "backup", "--home", plane.home, "--with-keys", "--keys", plane.keys,
                plane.folder.path("backups/with"),
            ]
        ).orThrow("backup")
        #expect(try plane.folder.read("backups/with/user_ca") == plane.folder.read("keys/user_ca"))

        // Restored in the place of the old one; the signer has had its keys all along.
        try Tool.run("mv", [plane.home, plane.folder.path("old")]).orThrow("mv")
        try plane.makeFolder("home", of: TwoAccounts.server, mode: 0o700)
        let restored = try TwoAccounts.daypassd(
            TwoAccounts.server, ["restore", plane.folder.path("backups/without"), "--home", plane.home])
        #expect(restored.succeeded && restored.stderrText.contains("user_ca, host_ca"), "\(restored)")
        try plane.split().orThrow("split")
        #expect(try plane.folder.mode(of: "home/ledger.sqlite") == 0o640)
        try plane.startSigner()
    }
}
