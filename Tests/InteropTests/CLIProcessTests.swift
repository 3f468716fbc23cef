// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

#if os(Linux)
    /// What the kernel says about the running program: keys must not reach a core file, a debugger or a crash report.
    @Suite(
        "daypass: the process",
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/python3"), "needs python3"))
    struct CLIProcessTests {
        private let tools: CLITools

        /// The system's: another account can't run what lies in somebody's home.
        private static let python = "/usr/bin/python3"

        init() throws { tools = try CLITools() }

        /// Starts the program, which waits for its input, and asks /proc about it once it sleeps in a read.
        private static let script = """
            import os, subprocess, sys, time
            child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
            folder = f"/proc/{child.pid}/"
            end = time.monotonic() + 20
            def cpu():
                return open(folder + "stat").read().rsplit(")", 1)[1].split()
            # Reading descriptor 0 is its first system call that waits.
            while time.monotonic() < end:
                status = open(folder + "status").read()
                ignored = [l for l in status.splitlines() if l.startswith("SigIgn:")][0].split()[1]
                if int(ignored, 16) & (1 << 12) and cpu()[0] == "S":
                    break
                time.sleep(0.01)
            try:
                for name in sys.argv[1].split(","):
                    if name == "owner":
                        print(os.stat(folder + "mem").st_uid)
                    elif name == "memory":
                        try:
                            open(folder + "mem", "rb").close()
                            print("open")
                        except PermissionError:
                            print("refused")
                    else:
                        print(open(folder + name).read())
            finally:
                child.stdin.close()
                child.wait()
            """

        private func ask(_ what: String, as user: [String] = []) throws -> String {
            var program = try BuiltProduct.path("daypass")
            let python = [Self.python, "-c", Self.script, what]
            if !user.isEmpty {
                // The built program lies where another account may not look.
                try FileManager.default.copyItem(atPath: program, toPath: tools.folder.path("daypass"))
                program = tools.folder.path("daypass")
                try tools.folder.setMode(0o755, of: "daypass")
                try tools.folder.setMode(0o755, of: ".")
            }
            let words = user + python + [program, "inspect", "-"]
            return try Tool.run(
                words[0], Array(words.dropFirst()), environment: tools.environment, in: tools.folder.path
            ).orThrow("\(what)").stdoutText
        }

        @Test func noCoreFileIsEverWritten() throws {
            let line = try #require(
                try ask("limits").split(separator: "\n").first { $0.hasPrefix("Max core file size") })
            #expect(line.split(separator: " ").dropFirst(4).prefix(2) == ["0", "0"], "\(line)")
        }

        @Test func noSignalThatACrashSendsIsCaught() throws {
            let lines = try ask("status").split(separator: "\n")
            func mask(_ name: String) throws -> UInt64 {
                let line = try #require(lines.first { $0.hasPrefix("\(name):") })
                return try #require(UInt64(line.split(separator: "\t")[1], radix: 16))
            }
            let (caught, ignored) = (try mask("SigCgt"), try mask("SigIgn"))
            for number in [SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGTRAP, SIGFPE, SIGQUIT] {
                #expect(caught & 1 << UInt64(number - 1) == 0, "signal \(number) is caught")
                #expect(ignored & 1 << UInt64(number - 1) == 0, "signal \(number) is ignored")
            }
            // Those would end it between two files.
            for number in [SIGPIPE, SIGXFSZ] {
                #expect(ignored & 1 << UInt64(number - 1) != 0, "signal \(number) is not ignored")
            }
        }

        /// What isn't dumpable belongs to root in /proc, whoever runs it.
        @Test(.enabled(if: Running.asRoot && (try? Tool.find("setpriv")) != nil, "needs root and setpriv"))
        func itsOwnAccountCannotReadItsMemory() throws {
            let user = ["setpriv", "--reuid=65534", "--clear-groups"]
            #expect(try ask("owner,memory", as: user) == "0\nrefused\n")
        }

        @Test(.enabled(if: !Running.asRoot, "root reads all memory"))
        func anotherProcessOfTheAccountCannotReadItsMemory() throws {
            #expect(try ask("memory") == "refused\n")
        }
    }
#endif
