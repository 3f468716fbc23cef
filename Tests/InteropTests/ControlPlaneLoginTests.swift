// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Logging in, what goes wrong, and what people are told.
@Suite("daypass login and its messages")
struct ControlPlaneLoginTests {
    private static let zeros = "SHA256:" + String(repeating: "0", count: 64)

    @Test func aWrongFingerprintIsRefusedAndNothingIsKept() throws {
        let plane = try PrivateControlPlane(rules: ControlScene.rules())
        let laptop = try Laptop(withAgent: false)
        let login = ["login", "--server", plane.url, "--key", plane.adminKey]
        let wrong = try laptop.daypass(login + ["--fingerprint", Self.zeros])
        #expect(wrong.status == 1)
        #expect(
            wrong.stderrText.hasPrefix("error: localhost:\(plane.port) shows another certificate"), "\(wrong)"
        )
        #expect(wrong.stderrText.contains("hint: log in with --fingerprint, as its operator tells it to you"))
        let none = try laptop.daypass(login)
        #expect(none.status == 1)
        #expect(none.stderrText.contains("its certificate is not one that is trusted here"), "\(none)")
        #expect(!laptop.folder.contains("state"))
        let right = try laptop.daypass(login + ["--fingerprint", plane.fingerprint])
        #expect(right.succeeded, "\(right)")
        #expect(right.stdoutText.contains("logged in to \(plane.url) as \(PrivateControlPlane.admin)"))
        #expect(right.stdoutText.contains("you administer it"))
    }

    @Test func aNewAccountHasNoFolderForStateYetAndLogsIn() throws {
        let plane = try PrivateControlPlane(rules: ControlScene.rules())
        let laptop = try Laptop(withAgent: false)
        let login = [
            "login", "--server", plane.url, "--key", plane.adminKey, "--fingerprint", plane.fingerprint,
        ]
        let home = ["DAYPASS_STATE": "", "XDG_STATE_HOME": ""]
        let first = try laptop.daypass(login, environment: home)
        #expect(first.succeeded, "\(first)")
        #expect(laptop.folder.contains(".local/state/daypass/session.json"))
        #expect(try laptop.folder.mode(of: ".local") == 0o700)
        let elsewhere = home.merging(["XDG_STATE_HOME": laptop.folder.path("elsewhere")]) { $1 }
        #expect(try laptop.daypass(login, environment: elsewhere).succeeded)
        #expect(laptop.folder.contains("elsewhere/daypass/session.json"))
    }

    @Test func anotherServerAtTheSameAddressIsRefused() throws {
        let plane = try PrivateControlPlane(rules: ControlScene.rules())
        let laptop = try Laptop(withAgent: false)
        try laptop.logIn(to: plane, key: plane.adminKey)
        #expect(try laptop.daypass(["status"]).succeeded)
        // Its certificates are made anew, by a root of their own.
        plane.stop()
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(plane.home)/tls") {
            try FileManager.default.removeItem(atPath: "\(plane.home)/tls/\(name)")
        }
        try plane.start()
        let status = try laptop.daypass(["status"])
        #expect(status.status == 1)
        #expect(status.stderrText.contains("its certificate is not one that is trusted here"), "\(status)")
        let login = try laptop.daypass(["login", "--key", plane.adminKey])
        #expect(login.status == 1)
        #expect(login.stderrText.contains("its certificate is not one that is trusted here"), "\(login)")
    }

    @Test func keysThatAreNotEnrolledAreTold() throws {
        let plane = try PrivateControlPlane(rules: ControlScene.rules())
        let laptop = try Laptop()
        let server = ["login", "--server", plane.url, "--fingerprint", plane.fingerprint]
        let one = try laptop.daypass(server)
        #expect(one.status == 1)
        #expect(one.stderrText.contains("is not enrolled here"), "\(one)")
        #expect(one.stderrText.contains("hint: ask an administrator to run: daypass keys add"), "\(one)")
        // The right key among others; the next time it is the first one.
        try Tool.run("ssh-add", ["-q", plane.adminKey], environment: laptop.environment).orThrow("ssh-add")
        func refusals() throws -> Int {
            let log = try Tool.run(
                try BuiltProduct.path("daypass"), ["log", "list", "--home", plane.home, "--limit", "0"]
            ).orThrow("log list").stdoutText
            return log.split(separator: "\n").count { $0.contains("not enrolled") }
        }
        try laptop.daypass(server).orThrow("login")
        let before = try refusals()
        #expect(before == 2)
        try laptop.daypass(["login"]).orThrow("login")
        #expect(try refusals() == before)
    }

    @Test func whatGoesWrongIsSaidWithWhatToDo() throws {
        let laptop = try Laptop(withAgent: false)
        expectFailure(
            try laptop.daypass(["status"]), 1, "no control plane is known here",
            hint: "log in first: daypass login --server URL --fingerprint SHA256:…")
        expectFailure(
            try laptop.daypass(["login"]), 64, "no control plane is known here",
            hint: "daypass login --server URL --fingerprint SHA256:…")
        let url = try laptop.daypass(["login", "--server", "http://x/y"])
        #expect(url.status == 1)
        #expect(
            url.stderrText == "error: server \"http://x/y\": https://host or https://host:port expected\n")
        let closed = try laptop.daypass(["login", "--server", "https://127.0.0.1:1"])
        expectFailure(
            closed, 1, "127.0.0.1:1: nobody listens there",
            hint: "is the control plane running, and the network up?")
        expectFailure(
            try laptop.daypass(["login", "--server", "https://127.0.0.1:1", "--fingerprint", "abc"]), 64,
            "--fingerprint: SHA256: and 64 hexadecimal digits expected")
        expectFailure(
            try laptop.daypass(["ssh-config", "show"]), 1, "nothing is installed",
            hint: "daypass ssh-config install")
    }

    @Test func refusalsNameTheRuleAndAWayOn() throws {
        let user = Running.userName
        let scene = try ControlPlaneLoginScene(
            rules: """
                  - name: with-reason
                    hosts: [{id: web1}]
                    logins: ["\(user)"]
                    allow:
                      or:
                        - user: "\(PrivateControlPlane.admin)"
                    requires: {reason: true}
                """)
        let none = try scene.certificate(host: "web1")
        expectFailure(
            none, 2, "rule with-reason: a reason is needed: give one with --reason",
            hint: "daypass ssh --reason WHY HOST")
        let given = try scene.certificate(host: "web1", ["--reason", "ticket 4711"])
        #expect(given.succeeded, "\(given)")
        let unknown = try scene.certificate(host: "nosuch\u{1b}[2J")
        #expect(unknown.status == 64 || unknown.status == 1 || unknown.status == 2, "\(unknown)")
        #expect(!unknown.stderr.contains(0x1b))
        let other = try scene.certificate(host: "nosuch")
        #expect(other.status == 2)
        #expect(other.stderrText.contains("host \"nosuch\" is not known to this authority"), "\(other)")
    }

    @Test func aSessionThatIsOverIsSaid() async throws {
        let plane = try PrivateControlPlane(rules: ControlScene.rules(), settings: "")
        let yaml = "\(plane.home)/daypassd.yaml"
        let text = try String(contentsOfFile: yaml, encoding: .utf8)
        try text.replacing("session_lifetime: 12h", with: "session_lifetime: 2s").write(
            toFile: yaml, atomically: true, encoding: .utf8)
        plane.stop()
        try plane.start()
        let laptop = try Laptop(withAgent: false)
        try laptop.logIn(to: plane, key: plane.adminKey)
        try await Task.sleep(for: .seconds(3))
        expectFailure(try laptop.daypass(["status"]), 1, "your session is over", hint: "daypass login")
    }
}

/// A control plane with one host, and its administrator logged in.
struct ControlPlaneLoginScene {
    let plane: PrivateControlPlane
    let laptop: Laptop

    init(rules: String) throws {
        plane = try PrivateControlPlane(rules: rules)
        laptop = try Laptop(withAgent: false)
        try laptop.logIn(to: plane, key: plane.adminKey)
        try laptop.daypass(["hosts", "add", "web1"]).orThrow("hosts add")
    }

    func certificate(host: String, _ more: [String] = []) throws -> ToolResult {
        try laptop.daypass(
            ["certificate", "--key", "\(laptop.key).pub", "--host", host, "--login", Running.userName] + more)
    }
}
