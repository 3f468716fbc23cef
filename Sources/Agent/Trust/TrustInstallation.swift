// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The making of one plan of `trust install`.
struct TrustInstallation {
    let settings: TrustSettings
    let files: any HostFiles
    let sshd: Sshd
    let layout: HostLayout
    private let effective: SshdSettings
    let configuration: SshdConfiguration
    let own: OwnLines
    private let lines: [(keyword: String, value: String)]
    private let conflicts: TrustConflicts
    let recorded: TrustRecord?
    var record: TrustRecord
    private var folders: [Plan.Step] = []
    private var steps: [Plan.Step] = []
    private var wanted: Set<String> = []
    private(set) var notes: [String] = []

    init(_ settings: TrustSettings, _ files: any HostFiles, _ sshd: Sshd, _ layout: HostLayout)
        throws(AgentError)
    {
        try checkPath(layout.configuration, "folder")
        try checkPath(layout.state, "folder")
        self.settings = settings
        self.files = files
        self.sshd = sshd
        self.layout = layout
        configuration = try SshdConfiguration(reading: sshd.configuration, from: files)
        effective = try sshd.settings(for: nil)
        own = try OwnLines(configuration)
        lines = TrustPlanner.lines(settings, layout)
        conflicts = try TrustConflicts(configuration, own, settings, layout, lines)
        recorded = try TrustRecord.read(files, layout)
        record = recorded ?? TrustRecord()
    }

    mutating func plan() throws(AgentError) -> Plan {
        notes = conflicts.notes
        try makeFolders()
        try wantWhole(layout.userCAKeys, try authorityFile(), "the CAs whose user certificates sshd takes")
        let revocations = try revocationFile()
        try wantWhole(
            layout.revokedKeys, revocations.bytes,
            "what is revoked: version \(revocations.list.version)\(revocations.list.isEmpty ? ", nothing" : "")"
        )
        record.revocationVersion = revocations.list.version
        if let certificate = settings.hostIdentity?.certificate {
            try wantWhole(
                layout.hostCertificate, try text(of: certificate), "the certificate of the host key")
        }
        try wantPrincipals()
        try wantConfiguration()
        try wantSessionHook()
        try undoOthers()
        record.settings = lines.map { TrustRecord.Setting(keyword: $0.keyword.lowercased(), value: $0.value) }
        let all = folders + (try recordStep()) + steps
        try checkWinners(all)
        return Plan(all, notes: notes)
    }

    // MARK: Content

    /// The CA keys, ours and those that are taken over.
    private mutating func authorityFile() throws(AgentError) -> [UInt8] {
        var text =
            "# Daypass: the CAs whose user certificates sshd takes. Written by daypass-agent trust install.\n"
        var keys = settings.authorities
        if let line = conflicts.adoptedAuthorities {
            let path = line.value
            guard let content = try files.read(path) else {
                throw AgentError(
                    .conflict,
                    "TrustedUserCAKeys \(path.escapedForTerminal) at \(line.place): the file does not exist")
            }
            let adopted = try TrustSettings.AuthorityKey.parse(content.bytes, name: path)
            keys += adopted.filter { key in !keys.contains { $0.key == key.key } }
            notes.append(
                "\(adopted.count) CA keys of \(path.escapedForTerminal), which \(line.place) names, are taken over; their "
                    + "certificates enter the accounts that the principals files name, and that file is not read any more"
            )
        }
        for key in keys {
            do throws(SSHWireError) {
                text += try PublicKeyLine(.key(key.key), comment: key.comment).text + "\n"
            } catch {
                throw AgentError(.invalidRequest, error.reason)
            }
        }
        return Array(text.utf8)
    }

    /// The revocation list: the given or the installed one, and what is taken over.
    private mutating func revocationFile() throws(AgentError) -> RevocationFile {
        let installed = try installedRevocations()
        var wanted: RevocationFile
        switch settings.revocations {
        case .given(let given): wanted = given
        case .installed:
            if let installed {
                wanted = installed
            } else {
                wanted = try .empty(unixSeconds: settings.unixSeconds)
            }
        }
        if let line = conflicts.adoptedRevocations {
            let path = line.value
            guard let content = try files.read(path, maximumBytes: Limits.krlBytes) else {
                throw AgentError(
                    .conflict,
                    "RevokedKeys \(path.escapedForTerminal) at \(line.place): the file does not exist")
            }
            let adopted = try RevocationFile.parse(content.bytes, name: path)
            if !wanted.list.revokesAll(of: adopted) {
                wanted = try wanted.adding(adopted, settings.unixSeconds)
            }
            notes.append(
                "what \(path.escapedForTerminal) revokes, which \(line.place) names, is taken over; later changes of that "
                    + "file count only when trust install is run again")
        }
        if let installed {
            try wanted.checkSuccession(of: installed.list)
            // The same list, made at another time.
            if installed.list.version == wanted.list.version, installed.list.revokesAll(of: wanted.list) {
                wanted = installed
            }
        }
        // The format has no length: a list that was cut off between two of its sections is a good list.
        if let installed, wanted.list.isEmpty, !installed.list.isEmpty {
            notes.append("the key revocation list revokes nothing any more; the installed one does")
        }
        if wanted.list.version < record.revocationVersion {
            throw AgentError(
                .conflict,
                "key revocation list: version \(wanted.list.version) is older than \(record.revocationVersion), which "
                    + "was installed", hint: "get the authority's newest list")
        }
        return wanted
    }

    /// The list that lies there; nil where there is none, or a broken one is replaced by a given one.
    private func installedRevocations() throws(AgentError) -> RevocationFile? {
        guard let content = try files.read(layout.revokedKeys, maximumBytes: Limits.krlBytes) else {
            guard case .installed = settings.revocations, recorded?[layout.revokedKeys] != nil else {
                return nil
            }
            throw AgentError(
                .damaged, "\(layout.revokedKeys) is gone, and what it revoked is not known here",
                hint: "give the authority's list by --krl")
        }
        do throws(AgentError) {
            return try RevocationFile(content.bytes, name: layout.revokedKeys)
        } catch {
            guard case .installed = settings.revocations else { return nil }
            throw AgentError(.damaged, error.reason, hint: "give the authority's list by --krl")
        }
    }

    private func text(of certificate: Certificate) throws(AgentError) -> [UInt8] {
        do throws(SSHWireError) {
            return Array((try PublicKeyLine(.certificate(certificate)).text + "\n").utf8)
        } catch {
            throw AgentError(.invalidRequest, error.reason)
        }
    }

    // MARK: Files

    private mutating func makeFolders() throws(AgentError) {
        let attributes = FileAttributes(mode: 0o755, owner: settings.owner, group: settings.group)
        for (path, purpose) in [
            (layout.configuration, "what sshd reads of ours"),
            (layout.principals, "who may enter which account"),
        ] {
            let before = try files.folder(path)
            if let before {
                guard !hasSameRights(before, attributes) else { continue }
                var after = attributes
                after.securityLabel = before.securityLabel
                folders.append(Plan.Step(.folder(path: path, before: before, after: after), purpose))
            } else {
                folders.append(Plan.Step(.folder(path: path, before: nil, after: attributes), purpose))
                if !record.folders.contains(path) { record.folders.append(path) }
            }
        }
    }

    /// Wants a file that is all ours.
    private mutating func wantWhole(_ path: String, _ bytes: [UInt8], _ purpose: String) throws(AgentError) {
        let before = try files.read(path, maximumBytes: Limits.krlBytes)
        let after = FileContent(
            bytes,
            FileAttributes(
                mode: 0o644, owner: settings.owner, group: settings.group,
                securityLabel: before?.attributes.securityLabel))
        let known = record[path]
        // Without a record, what is there as we would write it is what an earlier install left.
        let original = known != nil ? known?.original : before == after ? nil : before
        try want(path, .whole, before, after, original: original, block: nil, purpose)
    }

    private mutating func wantPrincipals() throws(AgentError) {
        for entry in settings.principals {
            let path = layout.principals + "/" + entry.account.text
            if !entry.replacesExisting, try files.kind(path) != nil {
                wanted.insert(path)
                continue
            }
            try wantWhole(
                path, PrincipalsFolder.content(entry.principals),
                "the principals that may enter \(entry.account)")
        }
        let existing = try files.list(layout.principals) ?? []
        if settings.principals.isEmpty, existing.isEmpty {
            notes.append("no account has principals: no certificate will enter any account")
        }
        for name in existing where !name.hasPrefix(".") { try keepPrincipals(name) }
        // Files of accounts that are not named stay.
        for file in record.files where file.path.hasPrefix(layout.principals + "/") {
            wanted.insert(file.path)
        }
    }

    /// Keeps a file that somebody else put there, and says whom it lets in from now on.
    private mutating func keepPrincipals(_ name: String) throws(AgentError) {
        let path = "\(layout.principals)/\(name)"
        guard record[path] == nil, let content = try files.read(path) else { return }
        record[path] = TrustRecord.File(
            path: path, kind: .whole, original: content, sha256: Digest.sha256(content.bytes),
            attributes: content.attributes)
        notes.append(
            "\(path.escapedForTerminal) was there before and stays; it says who may enter the account: "
                + String(decoding: content.bytes.prefix(256), as: UTF8.self).split(
                    whereSeparator: \.isNewline
                )
                .joined(separator: ", ").escapedForTerminal)
    }

    private mutating func wantConfiguration() throws(AgentError) {
        let texts = (try hostKeyLines() + lines).map { "\($0.keyword) \($0.value)" }
        let placement = try TrustPlacement.choose(
            configuration, own, sshd.configuration, lines.map(\.keyword), files)
        switch placement {
        case .dropIn(let path):
            try wantBlock(
                path, .settingsBlock, texts, moves: false, "sshd's settings, in a file that it includes")
        case .mainFile(let moves):
            try wantBlock(
                sshd.configuration, .settingsBlock, texts, moves: moves,
                "sshd's settings, at the top of its configuration, where they win")
        }
    }

    /// Wants a block of ours in a file that may have lines of others.
    private mutating func wantBlock(
        _ path: String, _ kind: TrustRecord.File.Kind, _ texts: [String], moves: Bool, _ purpose: String
    ) throws(AgentError) {
        let before = try files.read(path)
        let known = record[path]
        let after = FileContent(
            try TrustBlock.put(texts, into: before?.bytes ?? [], moves: moves, name: path),
            before?.attributes ?? FileAttributes(mode: 0o644, owner: settings.owner, group: settings.group))
        var original: FileContent?
        if let before {
            let rest = try TrustBlock.remove(from: before.bytes, name: path)
            let isOurs = known.map { $0.original == nil } ?? (rest != before.bytes)
            // Only our block in it: we made the file, or removing the block leaves nothing anyhow.
            original =
                isOurs && rest.isEmpty
                ? nil : FileContent(rest, known?.original?.attributes ?? before.attributes)
        }
        try want(
            path, kind, before, after, original: original, block: TrustBlock.text(texts), purpose)
    }

    private mutating func want(
        _ path: String, _ kind: TrustRecord.File.Kind, _ before: FileContent?, _ after: FileContent,
        original: FileContent?, block: [UInt8]?, _ purpose: String
    ) throws(AgentError) {
        guard (original?.bytes.count ?? 0) <= TrustRecord.maximumOriginalBytes else {
            throw AgentError(
                .unsafeFile,
                "\(path.escapedForTerminal): it has over \(TrustRecord.maximumOriginalBytes) bytes, which are "
                    + "more than are kept to restore it")
        }
        wanted.insert(path)
        record[path] = TrustRecord.File(
            path: path, kind: kind, original: original, sha256: Digest.sha256(after.bytes),
            block: block.map { String(decoding: $0, as: UTF8.self) }, attributes: after.attributes)
        if before != after {
            steps.append(Plan.Step(.file(path: path, before: before, after: after), purpose))
        }
    }

    /// Takes back what an earlier install wrote and this one does not want.
    private mutating func undoOthers() throws(AgentError) {
        for file in record.files where !wanted.contains(file.path) {
            if let step = try TrustRemoval.undo(file, files) { steps.append(step) }
            record[file.path] = nil
        }
    }

    private func recordStep() throws(AgentError) -> [Plan.Step] {
        let before = try files.read(layout.originals, maximumBytes: TrustRecord.maximumBytes)
        guard record != recorded else { return [] }
        let attributes = FileAttributes(
            mode: 0o600, owner: settings.owner, group: settings.group,
            securityLabel: before?.attributes.securityLabel)
        let after = FileContent(try record.encode(), attributes)
        return [
            Plan.Step(
                .file(path: layout.originals, before: before, after: after),
                "what was there before, for trust remove, and what is written, for trust status")
        ]
    }

    // MARK: Host key, session hook

    /// Lines with `HostKey`: the first of them switches off sshd's own choice, so that is written out too.
    private func hostKeyLines() throws(AgentError) -> [(keyword: String, value: String)] {
        guard let path = settings.hostIdentity?.keyPath else { return [] }
        let given = configuration.all("HostKey").filter { !own.contain($0) }
        if given.contains(where: { $0.value == path }) { return [] }
        guard given.isEmpty else { return [("HostKey", path)] }
        let ours = configuration.all("HostKey").contains(where: own.contain)
        let present = effective.all("hostkey")
        if !ours, present.contains(path) { return [] }
        var paths: [String] = []
        for key in present where key != path {
            if try files.kind(key) != nil { paths.append(key) }
        }
        return (paths + [path]).map { ("HostKey", $0) }
    }

    private mutating func wantSessionHook() throws(AgentError) {
        let reading = "logins will be read from sshd's messages"
        switch settings.sessionHook {
        case .none: return
        case .missingModule: notes.append("\(SessionModule.name) is not installed: \(reading)")
        case .pam(let path, let module):
            guard effective.says("usepam", "yes") else {
                notes.append("sshd runs without PAM (UsePAM no): \(reading)")
                return
            }
            guard let content = try files.read(path) else {
                notes.append("\(path.escapedForTerminal) does not exist: \(reading)")
                return
            }
            try checkPath(module, "PAM module")
            guard try files.kind(module) == .file else {
                notes.append("\(module.escapedForTerminal) does not exist: \(reading)")
                return
            }
            let others = try TrustBlock.remove(from: content.bytes, name: path)
            if SessionModule.isNamed(in: others) {
                notes.append(
                    "\(path.escapedForTerminal) names \(SessionModule.name) already, outside of our block")
                return
            }
            // Above every other session line: pam_env may take variables from a file in the account's home
            // (user_readenv), and what sshd says about the login is a variable too.
            try wantBlock(
                path, .hookBlock, ["session optional \(SessionModule.argument(module))"], moves: true,
                "the session hook, which never keeps anybody out")
        }
    }

    /// Reads the configuration as it will be, and makes sure that our lines win.
    private func checkWinners(_ steps: [Plan.Step]) throws(AgentError) {
        let planned = try SshdConfiguration(
            reading: sshd.configuration, from: PlannedFiles(files, after: steps))
        let own = try OwnLines(planned)
        for line in lines where line.keyword != "HostCertificate" {
            guard let winner = planned.winner(line.keyword) else {
                throw AgentError(.conflict, "\(line.keyword): sshd would not read our line")
            }
            guard own.contain(winner) || TrustConflicts.isSame(line.keyword, winner.value, line.value) else {
                throw AgentError(
                    .conflict,
                    "\(line.keyword) \(winner.value.escapedForTerminal) at \(winner.place) would win over ours",
                    hint: "take that line away")
            }
        }
    }
}

/// True when owner and mode are the same.
func hasSameRights(_ one: FileAttributes, _ other: FileAttributes) -> Bool {
    one.mode == other.mode && one.owner == other.owner && one.group == other.group
}
