// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import ControlProtocol
    import Foundation
    import TestSupport
    import Testing

    @Suite(
        "A host that stands behind the log, with the built programs",
        .enabled(if: Running.asRoot, "PAM services are root's to make"),
        .enabled(if: Running.withSSHD, "needs an OpenSSH server"),
        .enabled(if: PAMModule.canBeBuilt, "needs PAM's headers"))
    struct WitnessStoryTests {
        @Test func whatAHostHasSeenCannotBeTakenBackUnseen() throws {
            let scene = try TunnelScene()
            let daypass = try BuiltProduct.path("daypass")
            var keys = ""
            try scene.wait("the host has cosigned") {
                keys = try scene.admin.daypass(["log", "witnesses", "--keys"]).orThrow("keys").stdoutText
                return keys.hasPrefix("web1/witness+")
            }
            let checkpoint = try scene.admin.daypass(["log", "witnesses", "--checkpoint"]).orThrow(
                "checkpoint")
            try scene.folder.write(keys, to: "witnesses")
            try scene.folder.write(checkpoint.stdoutText, to: "cosigned")
            // The host says the same of itself.
            let status = try Tool.run(
                try BuiltProduct.path("daypass-agent"),
                [
                    "status", "--config", scene.folder.path("agent.yaml"), "--offline", "--runtime-folder",
                    scene.folder.path("run"), "--state-folder", scene.folder.path("var"), "--format", "json",
                ])
            #expect(status.stdoutText.contains(keys.trimmingCharacters(in: .newlines)), "\(status)")

            // Whoever has the log and the keys verifies by themselves.
            let verify = [
                "log", "verify", "--home", scene.plane.home, "--checkpoint", scene.folder.path("cosigned"),
                "--witnesses", scene.folder.path("witnesses"),
            ]
            let good = try Tool.run(daypass, verify + ["--at-least", "1"]).orThrow("verify")
            #expect(good.stdoutText.contains("1 of 1 witnesses stand behind it"), "\(good)")
            #expect(good.stdoutText.contains("web1/witness"))
            let few = try Tool.run(daypass, verify + ["--at-least", "2"])
            #expect(few.status == 3 && few.stderrText.contains("2 are asked for"), "\(few)")
            let lonely = try Tool.run(
                daypass, ["log", "verify", "--witnesses", scene.folder.path("witnesses")])
            #expect(lonely.status == 64 && lonely.stderrText.contains("--checkpoint"), "\(lonely)")

            // An older database is put back, and the checkpoint beside it with it: another history begins.
            scene.plane.stop()
            let copy = scene.folder.path("older")
            try Tool.run("cp", ["-a", scene.plane.home, copy]).orThrow("cp")
            try scene.plane.start()
            try scene.alice.ssh(["web1", "true"]).orThrow("ssh")
            let known = try scene.admin.daypass(["log", "witnesses", "--format", "json"]).orThrow("witnesses")
            try scene.wait("the host knows more") {
                try scene.admin.daypass(["log", "witnesses", "--format", "json"]).stdoutText
                    != known.stdoutText
            }
            scene.plane.stop()
            try FileManager.default.removeItem(atPath: scene.plane.home)
            try FileManager.default.moveItem(atPath: copy, toPath: scene.plane.home)
            try scene.plane.start()
            try scene.wait("the host refuses", seconds: 90) {
                scene.plane.log.contains("checkpoint not cosigned")
            }
            #expect(scene.plane.log.contains("ALERT: the log was rewritten or cut"))
            #expect(scene.agentLog.contains("ALERT: the log was rewritten or cut"))
            let table = try scene.admin.daypass(["log", "witnesses"]).orThrow("witnesses")
            #expect(table.stdoutText.contains("ALERT"), "\(table)")
        }
    }
#endif
