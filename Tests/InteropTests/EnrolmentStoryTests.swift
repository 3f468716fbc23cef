// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import ControlProtocol
    import Foundation
    import TestSupport
    import Testing

    @Suite(
        "Hosts without a join token, with the built programs",
        .enabled(if: Running.asRoot, "the agent's folders are root's"))
    struct EnrolmentStoryTests {
        /// A control plane, its administrator, and a host that nobody knows.
        private final class Scene {
            let plane: PrivateControlPlane
            let admin: Laptop
            let folder: TemporaryFolder
            private var agent: ChildProcess?

            init() throws {
                plane = try PrivateControlPlane(rules: ControlScene.rules())
                admin = try Laptop(withAgent: false)
                try admin.logIn(to: plane, key: plane.adminKey)
                folder = try TemporaryFolder()
                for name in ["etc", "var", "run", "var/spool", "ssh"] { try folder.makeFolder(name) }
                try Tool.run(
                    "ssh-keygen",
                    [
                        "-q", "-t", "ed25519", "-N", "", "-C", "root@web1", "-f",
                        folder.path("ssh/ssh_host_ed25519_key"),
                    ]
                ).orThrow("host key")
            }

            deinit { agent?.stop() }

            func register(_ arguments: [String]) throws -> ToolResult {
                try Tool.run(
                    try BuiltProduct.path("daypass-agent"),
                    [
                        "register", "--hostname", "web1", "--label", "team=admins", "--config",
                        folder.path("agent.yaml"), "--key-path", folder.path("keys"), "--host-keys",
                        folder.path("ssh"), "--config-folder", folder.path("etc"),
                    ] + arguments)
            }

            /// Starts the agent, and waits until the control plane shows it.
            func connects() throws {
                let process = try ChildProcess(
                    try BuiltProduct.path("daypass-agent"),
                    [
                        "start", "--config", folder.path("agent.yaml"), "--config-folder", folder.path("etc"),
                        "--state-folder", folder.path("var"), "--runtime-folder", folder.path("run"),
                        "--sshd-log", "none",
                    ], log: folder.path("agent.log"))
                agent = process
                let end = ContinuousClock.now + .seconds(60)
                for attempt in 0... {
                    let list = try admin.daypass(["hosts", "list"]).orThrow("hosts list").stdoutText
                    if list.contains("web1") && list.contains("connected") { break }
                    guard process.isRunning, attempt < 200 || ContinuousClock.now < end else {
                        let log = (try? folder.readText("agent.log")) ?? ""
                        throw TestSupportError("never connected: \(list) \(log) \(plane.log)")
                    }
                    usleep(50_000)
                }
                let status = try admin.daypass(["hosts", "status", "web1"])
                #expect(status.succeeded, "\(status)")
            }
        }

        @Test(arguments: ["json", "yaml", "base64"])
        func whatAHostPrintedIsEnrolledAndItConnectsByThatKey(form: String) throws {
            let scene = try Scene()
            let printed = try scene.register(form == "yaml" ? ["--output", "yaml"] : []).orThrow("register")
            var text = printed.stdoutText
            if form == "base64" {
                text = Data(text.utf8).base64EncodedString(options: .lineLength76Characters)
            }
            let file = try scene.admin.folder.write(text, to: "request")
            let enrolled = try scene.admin.daypass([
                "hosts", "enroll", file, "--label", "team=infra", "--format", "json",
            ]).orThrow("enroll")
            try scene.folder.write(enrolled.stdoutText, to: "answer")
            try scene.register([
                "--answer", scene.folder.path("answer"), "--fingerprint", scene.plane.fingerprint,
            ]).orThrow("register --answer")
            try scene.connects()
            let list = try scene.admin.daypass(["hosts", "list"]).stdoutText
            #expect(list.contains("team=infra") && !list.contains("admins"), "\(list)")
            let log = try Tool.run(
                BuiltProduct.path("daypass"), ["log", "list", "--home", scene.plane.home])
            #expect(log.stdoutText.contains("by an administrator; host key SHA256:"), "\(log)")

            // The same host once more is said to be there.
            let again = try scene.admin.daypass(["hosts", "enroll", file])
            #expect(again.status == 1 && again.stderrText.contains("has joined already"), "\(again)")
            #expect(again.stderrText.contains("hint: replace it"))
        }

        @Test func anAnswerIsOnlyForAHostThatHasAKeyAndItsRootMustBeTheExpectedOne() throws {
            let scene = try Scene()
            try scene.folder.write(
                #"{"clientId":"daypass:web1:ssh","tunnelUrl":"wss://localhost:1/v1/tunnel"}"#, to: "answer")
            let keyless = try scene.register(["--answer", scene.folder.path("answer")])
            #expect(keyless.status == 1 && !scene.folder.contains("agent.yaml"), "\(keyless)")
            #expect(!scene.folder.contains("keys"))
            _ = try scene.register([]).orThrow("register")
            let other = try scene.register([
                "--answer", scene.folder.path("answer"), "--fleet-root",
                "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            ])
            #expect(other.status == 1 && !scene.folder.contains("agent.yaml"), "\(other)")
            let both = try scene.register(["--answer", "-", "--server", "https://localhost"])
            #expect(both.status == 64, "\(both)")
        }

        @Test func theFormOfP0sAgentJoinsThisControlPlaneToo() throws {
            let scene = try Scene()
            let made = try scene.admin.daypass([
                "hosts", "join-token", "create", "--name", "web1", "--label", "team=infra",
            ]).orThrow("join-token")
            try scene.folder.write(made.stdoutText, to: "token", mode: 0o600)
            try scene.register([
                "--url", "\(scene.plane.url)/v1/hosts/register", "--auth-file", scene.folder.path("token"),
                "--fingerprint", scene.plane.fingerprint,
            ]).orThrow("register --url")
            let settings = try scene.folder.readText("agent.yaml")
            #expect(settings.contains("orgId: \"daypass\"\nhostId: \"web1\"\n"), "\(settings)")
            #expect(settings.contains("protocol: \"daypass\"\n"))
            #expect(settings.contains("tunnelFingerprint: "))
            try scene.connects()
        }
    }
#endif
