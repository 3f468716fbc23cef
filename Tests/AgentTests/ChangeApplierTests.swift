// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire
import Synchronization
import TestSupport
import Testing

@testable import Agent

/// Changes on files, with an sshd that says what it is told to say; the real one is in AgentInteropTests.
@Suite struct ChangeApplierTests {
    private let folder: TemporaryFolder
    private let layout: HostLayout
    private let sshd: PretendedSshd

    init() throws {
        folder = try TemporaryFolder()
        for name in ["etc", "state", "run", "conf.d"] { try folder.makeFolder(name) }
        layout = HostLayout(
            configuration: folder.path("etc"), state: folder.path("state"), runtime: folder.path("run"))
        try folder.write("Include \(folder.path)/conf.d/*.conf\nPort 22\n", to: "config")
        sshd = PretendedSshd()
    }

    private func content(_ text: String, mode: UInt32 = 0o600) -> FileContent {
        FileContent(Array(text.utf8), FileAttributes(mode: mode, owner: geteuid(), group: getegid()))
    }

    private func file(_ name: String, _ before: String?, _ after: String?) -> Plan.Step {
        Plan.Step(
            .file(
                path: folder.path(name), before: before.map { content($0) }, after: after.map { content($0) }),
            "")
    }

    @discardableResult
    private func apply(
        _ steps: [Plan.Step], expected: [ExpectedSetting] = [], tell: @escaping (String) -> Void = { _ in }
    ) throws(AgentError) -> ChangeReport {
        try ChangeApplier(layout: layout, programs: sshd, tell: tell).apply(
            Plan(steps),
            to: Sshd(binary: "/sshd", configuration: folder.path("config"), programs: sshd),
            ChangeOptions(
                // A program that another test starts holds every lock between fork(2) and exec(2).
                action: .install, proof: .settings, expected: expected, lockSeconds: 2,
                reloadCommand: ["/reload"]))
    }

    private func recover() throws -> ChangeReport? {
        try TrustRecovery.recoverIfNeeded(layout: layout, programs: sshd, lockSeconds: 2)
    }

    @Test func whatTheConfigurationNamesIsThereFirstAndGoesLast() throws {
        try apply([
            file("conf.d/x.conf", nil, "Names \(folder.path("etc/keys"))\n"), file("etc/keys", nil, "a"),
        ])
        #expect(try folder.readText("etc/keys") == "a")
        // At the reload of a removal the file is still there.
        sshd.onReload = { [folder] in #expect(folder.contains("etc/keys")) }
        try apply([
            file("etc/keys", "a", nil), file("conf.d/x.conf", "Names \(folder.path("etc/keys"))\n", nil),
        ])
        #expect(!folder.contains("etc/keys"))
        #expect(!folder.contains("conf.d/x.conf"))
        #expect(sshd.reloads == 2)
    }

    @Test func theStagedWholeIsCheckedBeforeAnythingIsInPlace() throws {
        sshd.refuses = "bad"
        let live = try folder.readText("config")
        #expect(throws: AgentError(.rolledBack, "")) {
            try apply([file("conf.d/x.conf", nil, "Banner bad\n"), file("etc/keys", nil, "a")])
        }
        #expect(try folder.readText("config") == live)
        #expect(try SystemFiles().list(folder.path("conf.d")) == [])
        #expect(try SystemFiles().list(folder.path("etc")) == [])
        #expect(sshd.reloads == 0)
    }

    @Test func filesThatAreIncludedByIncludedOnesAreCheckedStagedToo() throws {
        try folder.makeFolder("inner")
        try folder.write("Include \(folder.path)/inner/*\n", to: "conf.d/a.conf")
        sshd.refuses = "bad"
        let error = #expect(throws: AgentError.self) { try apply([file("inner/x", nil, "Banner bad\n")]) }
        #expect(error?.reason.contains("sshd refuses") == true)
        #expect(!folder.contains("inner/x"))
        sshd.refuses = nil
        try apply([file("inner/x", nil, "Banner good\n")])
        #expect(folder.contains("inner/x"))
        #expect(try SystemFiles().list(layout.state) == ["trust.lock"])
    }

    @Test func aFileThatIsNotAsPlannedIsNotChanged() throws {
        try folder.write("Banner theirs", to: "conf.d/x.conf")
        #expect(throws: AgentError(.busy, "")) {
            try apply([file("conf.d/x.conf", "Banner ours", "Banner new")])
        }
        #expect(try folder.readText("conf.d/x.conf") == "Banner theirs")
    }

    @Test func aFileThatIsChangedWhileOthersAreStagedIsTheirs() throws {
        try folder.write("Banner old", to: "conf.d/x.conf")
        let error = #expect(throws: AgentError.self) {
            try apply(
                [file("etc/keys", nil, "a"), file("conf.d/x.conf", "Banner old", "Banner new")],
                tell: {
                    if $0.hasPrefix("asking") { _ = try? folder.write("Banner theirs", to: "conf.d/x.conf") }
                })
        }
        #expect(error?.code == .busy || error?.code == .rolledBack)
        #expect(try folder.readText("conf.d/x.conf") == "Banner theirs")
        #expect(!folder.contains("etc/keys"))
        #expect(!folder.contains("state/trust.journal"))
    }

    @Test func whatSomebodyElseWroteMeanwhileStaysAndSoDoesWhatItNames() throws {
        try folder.write("Banner old", to: "conf.d/x.conf")
        let theirs = "Keys \(folder.path("etc/keys"))"
        sshd.onReload = { [folder] in _ = try? folder.write(theirs, to: "conf.d/x.conf") }
        sshd.failsReload = true
        let error = #expect(throws: AgentError.self) {
            try apply([
                file("etc/keys", nil, "a"), file("etc/other", nil, "b"),
                file("conf.d/x.conf", "Banner old", "Banner new"),
            ])
        }
        #expect(error?.code == .rolledBack)
        #expect(error?.reason.contains("changed by somebody else meanwhile, and stays") == true)
        #expect(try folder.readText("conf.d/x.conf") == theirs)
        #expect(folder.contains("etc/keys"))
        #expect(!folder.contains("etc/other"))
    }

    @Test func attack63_aLineThatAnotherOneWinsOverIsSeenInWhatSshdSays() throws {
        sshd.settings = "trustedusercakeys /theirs\n"
        let error = #expect(throws: AgentError.self) {
            try apply(
                [file("conf.d/x.conf", nil, "TrustedUserCAKeys /ours\n")],
                expected: [ExpectedSetting("TrustedUserCAKeys", "/ours")])
        }
        #expect(error?.reason.contains("\"/theirs\"") == true)
        #expect(!folder.contains("conf.d/x.conf"))
        // Spelled otherwise, it is the same.
        sshd.settings = "permittunnel NO\n"
        try apply([file("conf.d/x.conf", nil, "Banner x")], expected: [ExpectedSetting("PermitTunnel", "no")])
    }

    @Test(arguments: ["", "<html>404 Not Found</html>", "SSHKRL\n\0", "ssh-ed25519 AAAA"])
    func attack59_whatIsNoRevocationListNeverBecomesTheLiveOne(text: String) throws {
        try folder.write("before", to: "etc/revoked_keys")
        #expect(throws: AgentError(.invalidRequest, "")) {
            try apply([file("etc/revoked_keys", "before", text)])
        }
        #expect(try folder.readText("etc/revoked_keys") == "before")
        let list = try KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 1).build()
            .checkedEncoding()
        try apply([
            Plan.Step(
                .file(
                    path: layout.revokedKeys, before: content("before"),
                    after: FileContent(list, content("").attributes)), "")
        ])
        #expect(try folder.read("etc/revoked_keys") == list)
    }

    @Test(arguments: ["", "# no key\n", "not a key\n", "ssh-ed25519 AAAA\n"])
    func aFileWithoutCAKeysIsNotInstalled(text: String) throws {
        #expect(throws: AgentError(.invalidRequest, "")) { try apply([file("etc/user_ca_keys", nil, text)]) }
        #expect(!folder.contains("etc/user_ca_keys"))
    }

    @Test func attack51_nothingIsWrittenThroughALinkThatWaitsWhereAFileIsStaged() throws {
        let victim = try folder.write("precious", to: "victim")
        for name in [stagedName(folder.path("conf.d/x.conf")), folder.path("conf.d/x.conf")] {
            try Tool.run("ln", ["-s", victim, name]).orThrow("ln")
            #expect(throws: AgentError(.unsafeFile, "")) {
                do throws(AgentError) {
                    try apply([file("conf.d/x.conf", nil, "Banner new")])
                } catch {
                    // Staging comes behind the journal, so it ends as a change that was taken back.
                    throw error.reason.contains("symbolic link")
                        ? AgentError(.unsafeFile, error.reason) : error
                }
            }
            #expect(try folder.readText("victim") == "precious")
            try Tool.run("rm", [name]).orThrow("rm")
            _ = try? recover()
        }
        try apply([file("conf.d/x.conf", nil, "Banner new")])
        #expect(try folder.readText("victim") == "precious")
    }

    @Test func attack51_theProofWritesNothingBelowAFolderOfSomebodyElse() throws {
        try folder.makeFolder("home", mode: 0o777)
        try folder.makeFolder("home/inner", mode: 0o755)
        let path = folder.path("home/inner/principals")
        #expect(throws: AgentError(.unsafeFile, "")) { try checkFolders(above: path, SystemFiles()) }
        try folder.setMode(0o755, of: "home")
        try checkFolders(above: path, SystemFiles())
    }

    @Test func attack51_aFolderThatOthersMayWriteToIsNotTheAgents() throws {
        try folder.setMode(0o777, of: "state")
        #expect(throws: AgentError(.unsafeFile, "")) { try apply([file("conf.d/x.conf", nil, "Banner new")]) }
        #expect(!folder.contains("conf.d/x.conf"))
        try folder.setMode(0o700, of: "state")
        try apply([file("conf.d/x.conf", nil, "Banner new")])
    }

    @Test func twoDoNotChangeTheSameAtOnce() throws {
        let lock = try HostLock(layout, files: SystemFiles(), seconds: 0)
        #expect(throws: AgentError(.busy, "")) { try apply([file("conf.d/x.conf", nil, "Banner new")]) }
        _ = consume lock
        var wasFree = true
        try apply(
            [file("conf.d/y.conf", nil, "Banner new")],
            tell: { _ in wasFree = wasFree && (try? HostLock(layout, files: SystemFiles(), seconds: 0)) != nil
            })
        #expect(!wasFree)
        try apply([file("conf.d/x.conf", nil, "Banner new")])
    }

    @Test func ownersModesAndOtherFilesAreKept() throws {
        try folder.write("Banner old", to: "conf.d/x.conf", mode: 0o604)
        let before = content("Banner old", mode: 0o604)
        sshd.failsReload = true
        #expect(throws: AgentError(.rolledBack, "")) {
            try apply([
                Plan.Step(
                    .file(
                        path: folder.path("conf.d/x.conf"), before: before,
                        after: content("Banner n", mode: 0o600)), "")
            ])
        }
        #expect(try SystemFiles().read(folder.path("conf.d/x.conf")) == before)
        #expect(try SystemFiles().list(folder.path("conf.d")) == ["x.conf"])
    }

    @Test func aJournalThatNeverCameToItsPlaceIsThrownAway() throws {
        try folder.write("half", to: "state/.trust.journal.daypass-new")
        #expect(try recover() == nil)
        #expect(!folder.contains("state/.trust.journal.daypass-new"))
    }

    @Test func aProvenChangeIsCompleted() throws {
        try folder.write("a", to: "etc/keys")
        var journal = ChangeJournalTests.sample
        journal = ChangeJournal(
            id: "x", action: .remove, deadline: 0, daemon: journal.daemon,
            steps: [.init(file("etc/keys", "a", nil).change, "", isReferred: true)],
            proofFolder: folder.path("run/proof"), phase: .proven)
        try folder.write(journal.encoded, to: "state/trust.journal")
        #expect(try recover()?.outcome == .completed)
        #expect(!folder.contains("etc/keys"))
        #expect(!folder.contains("state/trust.journal"))
        #expect(sshd.reloads == 0)
    }
}

/// Takes every configuration but one that holds a word, in the files that its Include names.
private final class PretendedSshd: ProgramRunner {
    private struct State {
        var refuses: String?
        var settings = ""
        var failsReload = false
        var reloads = 0
        var onReload: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    var refuses: String? {
        get { state.withLock { $0.refuses } }
        set { state.withLock { $0.refuses = newValue } }
    }
    var settings: String {
        get { state.withLock { $0.settings } }
        set { state.withLock { $0.settings = newValue } }
    }
    var failsReload: Bool {
        get { state.withLock { $0.failsReload } }
        set { state.withLock { $0.failsReload = newValue } }
    }
    var reloads: Int { state.withLock { $0.reloads } }
    var onReload: (@Sendable () -> Void)? {
        get { state.withLock { $0.onReload } }
        set { state.withLock { $0.onReload = newValue } }
    }

    func run(_ path: String, _ arguments: [String], input: [UInt8], seconds: Int) throws(AgentError)
        -> ProgramResult
    {
        if path == "/reload" {
            state.withLock { $0.reloads += 1 }
            onReload?()
            return ProgramResult(status: failsReload ? 1 : 0, output: [], errors: [])
        }
        guard let index = arguments.firstIndex(of: "-f"), arguments.indices.contains(index + 1) else {
            return ProgramResult(status: 1, output: [], errors: [])
        }
        let configuration = try SshdConfiguration(reading: arguments[index + 1], from: SystemFiles())
        for file in configuration.filePaths {
            guard let word = refuses, let bytes = configuration.content(of: file)?.bytes else { continue }
            if String(decoding: bytes, as: UTF8.self).contains(word) {
                return ProgramResult(status: 255, output: [], errors: Array("Bad configuration option".utf8))
            }
        }
        return ProgramResult(status: 0, output: Array(settings.utf8), errors: [])
    }
}
