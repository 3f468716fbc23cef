// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

/// The built program on a terminal of its own, where somebody types.
private struct Typist {
    let tools: CLITools

    /// Answers each prompt (what ends in ": ") as soon as it is there, and says at the end whether the terminal still
    /// shows what is typed.
    private static let script = """
        import os, pty, signal, sys, termios
        answers, command = sys.argv[1].split("|"), sys.argv[2:]
        pid, terminal = pty.fork()
        if pid == 0:
            # Whoever runs the tests in the background has it ignored.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execv(command[0], command)
        seen, answered = b"", 0
        while True:
            try:
                data = os.read(terminal, 4096)
            except OSError:
                break
            if not data:
                break
            seen += data
            if answered < len(answers) and seen.endswith(b": "):
                os.write(terminal, answers[answered].encode())
                answered += 1
        _, status = os.waitpid(pid, 0)
        echoes = termios.tcgetattr(terminal)[3] & termios.ECHO
        sys.stdout.buffer.write(seen.replace(b"\\r\\n", b"\\n"))
        print("echo is", "on" if echoes else "off")
        sys.stdout.flush()
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        sys.exit(code)
        """

    /// Runs daypass, and types `answers`, which are separated by bars.
    func run(_ arguments: [String], typing answers: String) throws -> ToolResult {
        var environment = tools.environment
        environment["NO_COLOR"] = "1"
        return try Tool.run(
            try PythonScript.program.get(),
            ["-c", Self.script, answers, try BuiltProduct.path("daypass")] + arguments,
            environment: environment, in: tools.folder.path)
    }
}

@Suite("daypass: passphrases on a terminal", .enabled(if: PythonScript.isInstalled, "needs python3"))
struct CLITerminalPassphraseTests {
    private let tools: CLITools
    private let typist: Typist

    init() throws {
        tools = try CLITools()
        typist = Typist(tools: tools)
    }

    @Test func aNewPassphraseIsAskedForTwiceAndNotShown() throws {
        let made = try typist.run(["ca", "init"], typing: "correct horse\n|correct horse\n")
        #expect(made.status == 0, "\(made)")
        #expect(
            made.stdoutText.hasPrefix(
                "Passphrase for the new CA's keys: \nThe same once more: \nmade a CA in "), "\(made)")
        #expect(!made.stdoutText.contains("horse"))
        #expect(made.stdoutText.hasSuffix("echo is on\n"))
        for name in ["user_ca", "host_ca", "log_key"] {
            try tools.run("ssh-keygen", ["-y", "-P", "correct horse", "-f", ".daypass/\(name)"])
        }
        // It takes that passphrase to issue, asked for once, and no other.
        try tools.makeKey("id")
        let command = ["issue", "user", "--key", "id.pub", "--identity", "al", "--principal", "deploy"]
        let issued = try typist.run(command, typing: "correct horse\n")
        #expect(issued.status == 0, "\(issued)")
        #expect(
            issued.stdoutText.hasPrefix(
                "Passphrase of the CA in \(tools.folder.path(".daypass")): \nid-cert.pub\n"), "\(issued)")
        let before = try tools.log()
        let wrong = try typist.run(command, typing: "wrong\n")
        #expect(wrong.status == 1, "\(wrong)")
        #expect(
            wrong.stdoutText.contains(
                "\nerror: \(tools.folder.path(".daypass/log_key")): private key: the passphrase is wrong, or the file is damaged\n"
            ),
            "\(wrong)")
        #expect(try tools.log() == before)
    }

    @Test func twoThatDifferAreRefusedAndNothingIsMade() throws {
        let result = try typist.run(["ca", "init"], typing: "one\n|two\n")
        #expect(result.status == 1)
        #expect(result.stdoutText.contains("\nerror: the two passphrases differ\n"), "\(result)")
        #expect(!tools.folder.contains(".daypass"))
    }

    @Test(arguments: ["\n", String(repeating: "x", count: 1_025) + "\n", "\u{4}"])
    func anEmptyOneAndOneThatIsTooLongAreRefused(_ typed: String) throws {
        let result = try typist.run(["ca", "init"], typing: typed)
        #expect(result.status == 1)
        #expect(
            result.stdoutText.contains("\nerror: a passphrase of 1 to 1024 bytes is needed\n"), "\(result)")
        #expect(!tools.folder.contains(".daypass"))
    }

    @Test func whoeverGivesUpGetsTheTerminalBack() throws {
        let result = try typist.run(["ca", "init"], typing: "ha\u{3}")
        #expect(result.status == 130, "\(result)")
        #expect(result.stdoutText == "Passphrase for the new CA's keys: \necho is on\n")
        #expect(!tools.folder.contains(".daypass"))
    }
}

@Suite("daypass: passphrases elsewhere")
struct CLIPassphraseTests {
    private let tools: CLITools

    init() throws { tools = try CLITools() }

    /// With setsid(1) a program has no terminal, whoever runs the tests.
    @Test func withoutATerminalAndAFileItSaysWhatToGive() throws {
        let result = try Tool.run(
            try BuiltProduct.path("daypass"), ["ca", "init"], stdin: Array("from a pipe\nfrom a pipe\n".utf8),
            environment: tools.environment, in: tools.folder.path)
        expectFailure(
            result, 1, "no terminal to ask for a passphrase on", hint: "use --passphrase-file FILE")
        #expect(!tools.folder.contains(".daypass"))
    }

    @Test func theFirstLineOfAFileIsAPassphraseWithOrWithoutItsEnd() throws {
        try tools.folder.write("correct horse\n", to: "phrase")
        try tools.folder.write("correct horse", to: "without")
        try tools.daypass(["ca", "init", "--passphrase-file", "phrase"]).orThrow("ca init")
        try tools.makeKey("id")
        for file in ["phrase", "without"] {
            try tools.issue(["--passphrase-file", file]).orThrow("issue")
        }
        try tools.folder.write("another\n", to: "wrong")
        let before = try tools.log()
        let result = try tools.issue(["--passphrase-file", "wrong"])
        expectFailure(
            result, 1,
            "\(tools.folder.path(".daypass/log_key")): private key: the passphrase is wrong, or the file is damaged"
        )
        #expect(try tools.log() == before)
        // No secret was left in a file beside the keys.
        #expect(
            try tools.names() == [".daypass", "phrase", "without", "wrong", "id", "id.pub", "id-cert.pub"])
    }

    @Test func aFileThatOthersCanReadIsRefusedWithTheCommandThatMendsIt() throws {
        try tools.folder.write("correct horse\n", to: "phrase", mode: 0o644)
        expectFailure(
            try tools.daypass(["ca", "init", "--passphrase-file", "phrase"]), 1,
            "phrase: mode 0644, others than its owner can use this secret",
            hint: "chmod 600 phrase, and replace the key if somebody may have read it")
        #expect(!tools.folder.contains(".daypass"))
        try tools.folder.setMode(0o600, of: "phrase")
        #expect(try tools.daypass(["ca", "init", "--passphrase-file", "phrase"]).status == 0)
    }

    @Test(arguments: ["\n", "one\ntwo\n", "one\n\n", "\none\n"])
    func aFileThatHoldsSomethingElseIsRefused(_ content: String) throws {
        try tools.folder.write(content, to: "phrase")
        expectFailure(
            try tools.daypass(["ca", "init", "--passphrase-file", "phrase"]), 1,
            "phrase: one line with the passphrase expected")
        #expect(!tools.folder.contains(".daypass"))
    }

    @Test func anEmptyFileAndALongOneAreRefused() throws {
        try tools.folder.write("", to: "empty")
        try tools.folder.write(String(repeating: "x", count: 1_026), to: "long")
        for (name, size) in [("empty", 0), ("long", 1_026)] {
            expectFailure(
                try tools.daypass(["ca", "init", "--passphrase-file", name]), 1,
                "\(name): \(size) bytes, 1 to 1025 expected")
        }
        expectFailure(
            try tools.daypass(["ca", "init", "--passphrase-file", "."]), 1, ".: not a regular file")
    }

    @Test func aFileAndNoPassphraseExcludeEachOther() throws {
        try tools.folder.write("correct horse\n", to: "phrase")
        expectFailure(
            try tools.daypass(["ca", "init", "--no-passphrase", "--passphrase-file", "phrase"]), 64,
            "--no-passphrase and --passphrase-file exclude each other",
            hint: "daypass ca init --help lists what it takes")
    }
}
