// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Names that mean something to a shell, given to real clients under shells of both kinds of quoting.
@Suite("The Match exec block", .enabled(if: Running.withSSHD, "needs an OpenSSH server"))
struct MatchExecTests {
    struct Client: Sendable, CustomTestStringConvertible {
        let ssh: String
        let shell: String
        var testDescription: String { "\(ssh) under \(shell)" }
    }

    /// The installed ssh, and others where a build of them lies (DAYPASS_TEST_OPENSSH: folders with `bin/ssh`, by
    /// colons), each under sh and under fish where that is installed.
    static let clients: [Client] = {
        let others = ProcessInfo.processInfo.environment["DAYPASS_TEST_OPENSSH"] ?? ""
        let programs =
            [try? Tool.find("ssh")].compactMap(\.self)
            + others.split(separator: ":").map { "\($0)/bin/ssh" }
        let shells = ["/bin/sh", try? Tool.find("fish")].compactMap(\.self)
        return programs.flatMap { program in shells.map { Client(ssh: program, shell: $0) } }
    }()
    static let withFish = (try? Tool.find("fish")) != nil

    static let hostile = [
        "$(touch x)", "`touch x`", "x;touch x;", "'; touch x; '", "\"; touch x; \"", "x\\", "\\'; touch x; '",
        "\\", "%h%%n", "a\ntouch x\n", "a b  c", "$HOME", "(touch x)", "{touch,x}", "| touch x",
        "& touch x &",
        "> x", "~root", "*", "x' (touch x) '", "x\\' (touch x) \\'", "#", "!!",
    ]

    @Test(.enabled(if: withFish, "needs fish")) func fishIsAmongTheShells() {
        #expect(Self.clients.contains { $0.shell.hasSuffix("fish") })
    }

    @Test(arguments: clients) func attack66_namesReachNoShellUnquoted(client: Client) throws {
        let scene = try MatchExecScene(client)
        // The nearest good names get through, so that the others' absence means something.
        #expect(try scene.calls(host: "web1", login: "deploy") == [["web1", "deploy"]])
        #expect(try scene.calls(host: "elsewhere", login: "deploy").isEmpty)
        for name in Self.hostile {
            // As people type them, and as configurations say them, which ssh looks at less.
            for call in try scene.calls(host: "\(name).example.com", login: "deploy") {
                #expect(call == ["\(name).example.com", "deploy"], "\(call)")
            }
            for call in try scene.calls(host: "web1", login: name) {
                #expect(call == ["web1", name], "\(call)")
            }
            guard !name.contains("\n") else { continue }
            for call in try scene.calls(configured: "HostName", name + ".example.com") {
                #expect(call[1] == Running.userName && !call[0].isEmpty, "\(name): \(call)")
            }
            for call in try scene.calls(configured: "User", name) {
                #expect(call == ["web1", name], "\(call)")
            }
        }
        #expect(try scene.leftovers().isEmpty)
    }
}

/// A client's configuration with our block in it, whose program only writes down what it was called with.
private final class MatchExecScene {
    let client: MatchExecTests.Client
    let laptop: Laptop
    private let plain: String
    private let names: Set<String>

    init(_ client: MatchExecTests.Client) throws {
        self.client = client
        let plane = try PrivateControlPlane(rules: ControlScene.rules())
        laptop = try Laptop(withAgent: false)
        try laptop.logIn(to: plane, key: plane.adminKey)
        try laptop.daypass(["hosts", "add", "web1"]).orThrow("hosts add")
        try laptop.daypass(["ssh-config", "install", "--file", laptop.config]).orThrow("install")
        // NUL behind each argument, and a byte that ends a call: no argument has either.
        let recorder = try laptop.folder.write(
            "#!/bin/sh\nprintf '%s\\000' \"$@\" >>'\(laptop.folder.path("calls"))'\nprintf '\\001' "
                + ">>'\(laptop.folder.path("calls"))'\nexit 1\n",
            to: "recorder", mode: 0o755)
        let block = try laptop.folder.readText("state/ssh_config")
        let program = try #require(
            block.firstMatch(of: /exec "'(?<path>[^']+)' ssh-config prepare/)?.path, "\(block)")
        try laptop.folder.write(
            block.replacing("'\(program)'", with: "'\(recorder)'"), to: "state/ssh_config")
        plain = try laptop.folder.readText("config")
        try laptop.folder.makeFolder("cwd")
        try laptop.folder.write("", to: "calls")
        names = Set(try FileManager.default.contentsOfDirectory(atPath: laptop.folder.path))
    }

    /// The host and login of each call of the program while ssh looks at its configuration.
    private func calls(_ arguments: [String]) throws -> [[String]] {
        try laptop.folder.write("", to: "calls")
        _ = try Tool.run(
            client.ssh, ["-G", "-F", laptop.config] + arguments,
            environment: laptop.environment.merging(["SHELL": client.shell]) { $1 },
            in: laptop.folder.path("cwd"))
        return try laptop.folder.read("calls").split(separator: 1).map { call in
            let words = call.split(separator: 0, omittingEmptySubsequences: false).dropLast()
                .map { String(decoding: $0, as: UTF8.self) }
            // ssh-config prepare --state S --name N -- HOST LOGIN
            #expect(words.count == 9, "\(words)")
            return Array(words.suffix(2))
        }
    }

    func calls(host: String, login: String) throws -> [[String]] { try calls(["-l", login, host]) }

    func calls(configured keyword: String, _ value: String) throws -> [[String]] {
        let quoted = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        try laptop.folder.write(plain + "Host web1 alias\n    \(keyword) \"\(quoted)\"\n", to: "config")
        defer { _ = try? laptop.folder.write(plain, to: "config") }
        return try calls([keyword == "User" ? "web1" : "alias"])
    }

    /// What hostile names have made.
    func leftovers() throws -> [String] {
        let home = Set(try FileManager.default.contentsOfDirectory(atPath: laptop.folder.path))
        // fish keeps its own files there.
        return Array(home.subtracting(names).subtracting([".config", ".local", ".cache"]))
            + (try FileManager.default.contentsOfDirectory(atPath: laptop.folder.path("cwd")))
    }
}
