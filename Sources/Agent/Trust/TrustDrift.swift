// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Compares a host with what `trust install` left there. Changes nothing.
public struct TrustDrift {
    let files: any HostFiles
    let sshd: Sshd
    let layout: HostLayout
    private var checks: [TrustCheck] = []

    /// How many accounts sshd is asked about, where it treats some otherwise than others; each takes some 10 ms.
    static let maximumAccounts = 256
    /// How often it is looked again while each look finds something else.
    private static let maximumRepeats = 3

    /// Looks at everything; where something is found, again: what is seen in the midst of a change that is being made is no
    /// drift.
    ///
    /// - Returns: every comparison, in the order files, settings, sshd itself; those with a problem are findings.
    public static func examine(host files: any HostFiles, sshd: Sshd, layout: HostLayout = HostLayout())
        -> [TrustCheck]
    {
        var last = look(files, sshd, layout)
        for _ in 0..<maximumRepeats where last.contains(where: { $0.problem != nil }) {
            let again = look(files, sshd, layout)
            if again == last { break }
            last = again
        }
        return last
    }

    private static func look(_ files: any HostFiles, _ sshd: Sshd, _ layout: HostLayout) -> [TrustCheck] {
        var drift = TrustDrift(files: files, sshd: sshd, layout: layout)
        drift.examine()
        return drift.checks
    }

    private init(files: any HostFiles, sshd: Sshd, layout: HostLayout) {
        self.files = files
        self.sshd = sshd
        self.layout = layout
    }

    mutating func add(_ check: TrustCheck) { checks.append(check) }

    private mutating func examine() {
        let record: TrustRecord
        do throws(AgentError) {
            guard let found = try TrustRecord.read(files, layout), !found.settings.isEmpty else {
                checks.append(TrustCheck("trust", layout.originals, problem: "not installed"))
                return
            }
            record = found
        } catch {
            checks.append(TrustCheck("trust", layout.originals, problem: error.reason))
            return
        }
        let owner = record.files.first?.attributes.owner ?? 0
        var isStrict = true
        var settings: SshdSettings?
        do throws(AgentError) {
            let found = try sshd.settings(for: nil)
            isStrict = !found.says("strictmodes", "no")
            settings = found
        } catch {
            checks.append(TrustCheck("sshd", sshd.configuration, problem: error.reason))
        }
        checkFolders(owner, isStrict)
        for file in record.files { check(file, record) }
        checkStrangers(record)
        guard let settings else { return }
        checkSettings(record, settings)
        checkRunning(settings)
    }

    // MARK: Files

    private mutating func check(_ file: TrustRecord.File, _ record: TrustRecord) {
        let subject = subject(of: file)
        do throws(AgentError) {
            guard let content = try files.read(file.path, maximumBytes: Limits.krlBytes) else {
                return checks.append(TrustCheck(subject, file.path, problem: "the file is gone"))
            }
            var problems: [(line: Int?, text: String)] = []
            if !hasSameRights(content.attributes, file.attributes) {
                problems.append(
                    (
                        nil,
                        "\(PlanText.describe(content.attributes)), and was \(PlanText.describe(file.attributes))"
                    ))
            }
            if let block = file.block {
                problems += try check(block, in: content.bytes, file.path)
            } else if Digest.sha256(content.bytes) != file.sha256 {
                problems.append((nil, change(of: content.bytes, file.path, record)))
            }
            if problems.isEmpty { checks.append(TrustCheck(subject, file.path)) }
            for problem in problems {
                checks.append(TrustCheck(subject, file.path, line: problem.line, problem: problem.text))
            }
        } catch {
            checks.append(TrustCheck(subject, file.path, problem: error.reason))
        }
    }

    private func subject(of file: TrustRecord.File) -> String {
        switch file.path {
        case layout.userCAKeys: "TrustedUserCAKeys"
        case layout.revokedKeys: "RevokedKeys"
        case layout.hostCertificate: "HostCertificate"
        case let path where path.hasPrefix(layout.principals + "/"):
            "principals of \(path.dropFirst(layout.principals.count + 1))"
        default: file.kind == .hookBlock ? "session hook" : "sshd's settings"
        }
    }

    /// Compares our block line by line.
    private func check(_ block: String, in content: [UInt8], _ path: String) throws(AgentError) -> [(
        line: Int?, text: String
    )] {
        guard let place = try TrustBlock.find(in: content, name: path) else {
            return [(nil, "our block is gone")]
        }
        let wanted = block.split(separator: "\n")
        let found = String(decoding: content[place.range], as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in wanted.enumerated() {
            guard index < found.count, line.utf8.elementsEqual(found[index].utf8) else {
                let now = index < found.count ? "\"\(String(found[index]).escapedForTerminal)\"" : "nothing"
                return [
                    (place.lines.lowerBound + index, "our block was edited: \(now) instead of \"\(line)\"")
                ]
            }
        }
        let more = found.dropFirst(wanted.count).contains { !$0.isEmpty }
        return more ? [(place.lines.lowerBound + wanted.count, "our block was edited: a line more")] : []
    }

    /// What became of a file of ours.
    private func change(of bytes: [UInt8], _ path: String, _ record: TrustRecord) -> String {
        switch path {
        case layout.revokedKeys:
            do throws(AgentError) {
                let version = try RevocationFile(bytes, name: path).list.version
                return version < record.revocationVersion
                    ? "replaced by version \(version), which is older than \(record.revocationVersion)"
                    : "replaced by another list, version \(version)"
            } catch {
                return "\(error.reason); sshd refuses every key"
            }
        case layout.userCAKeys:
            do throws(AgentError) {
                _ = try TrustSettings.AuthorityKey.parse(bytes, name: path)
                return "the CA keys were changed"
            } catch { return error.reason }
        default: return "its content was changed"
        }
    }

    /// sshd reads no principals file in a folder that others may write to, and whoever may, decides who enters.
    private mutating func checkFolders(_ owner: UInt32, _ isStrict: Bool) {
        var path = layout.principals
        while true {
            do throws(AgentError) {
                guard let found = try files.folder(path) else {
                    checks.append(TrustCheck("folder", path, problem: "the folder is gone"))
                    break
                }
                let isOurs = path.hasPrefix(layout.configuration)
                // Names in a sticky folder are safe from others, but sshd's StrictModes doesn't look at that.
                let isOpen = found.mode & 0o022 != 0 && (isOurs || isStrict || found.mode & 0o1000 == 0)
                let isForeign = found.owner != owner && found.owner != 0
                if isOpen || isForeign {
                    checks.append(
                        TrustCheck(
                            "folder", path,
                            problem: "\(PlanText.describe(found)): others may change what is in it"))
                } else if isOurs {
                    checks.append(TrustCheck("folder", path))
                }
            } catch {
                checks.append(TrustCheck("folder", path, problem: error.reason))
            }
            guard path != "/", let slash = path.lastIndex(of: "/") else { break }
            path = slash == path.startIndex ? "/" : String(path[..<slash])
        }
    }

    /// Principals files that were not written by us.
    private mutating func checkStrangers(_ record: TrustRecord) {
        guard let names = try? files.list(layout.principals) else { return }
        for name in names {
            let path = "\(layout.principals)/\(name)"
            // What a killed process left is written over by the next one.
            guard record[path] == nil, !name.hasPrefix(".") else { continue }
            checks.append(
                TrustCheck("principals", path, problem: "was not written by daypass-agent principals set"))
        }
    }

    // MARK: Settings

    private mutating func checkSettings(_ record: TrustRecord, _ settings: SshdSettings) {
        let configuration: SshdConfiguration?
        do throws(AgentError) {
            configuration = try SshdConfiguration(reading: sshd.configuration, from: files)
        } catch {
            configuration = nil
            checks.append(TrustCheck("sshd", sshd.configuration, problem: error.reason))
        }
        let own = configuration.flatMap { try? OwnLines($0) }
        for setting in record.settings {
            compare(setting, settings, account: nil, configuration, own)
        }
        checkOnlineCheck(record)
        for (account, settings) in accountSettings(configuration) {
            for setting in record.settings where setting.keyword != "hostcertificate" {
                compare(setting, settings, account: account, configuration, own)
            }
        }
    }

    /// What sshd would do for each account with principals: for one of them where nothing depends on the account.
    private mutating func accountSettings(_ configuration: SshdConfiguration?) -> [(String, SshdSettings)] {
        let names = ((try? files.list(layout.principals)) ?? []).filter { (try? AccountName($0)) != nil }
        let dependsOnAccount = configuration?.directives.contains { $0.keyword == "match" } ?? true
        let asked = names.prefix(dependsOnAccount ? Self.maximumAccounts : 1)
        if dependsOnAccount, names.count > asked.count {
            checks.append(
                TrustCheck(
                    "sshd", sshd.configuration,
                    problem:
                        "\(names.count) accounts have principals, and only \(asked.count) were asked about"))
        }
        var result: [(String, SshdSettings)] = []
        for name in asked {
            do throws(AgentError) {
                result.append((name, try sshd.settings(for: Sshd.Connection(user: name))))
            } catch {
                checks.append(TrustCheck("sshd", sshd.configuration, problem: error.reason))
                break
            }
        }
        return result
    }

    private mutating func compare(
        _ setting: TrustRecord.Setting, _ settings: SshdSettings, account: String?,
        _ configuration: SshdConfiguration?,
        _ own: OwnLines?
    ) {
        let values = settings.all(setting.keyword)
        let isThere =
            setting.keyword == "hostcertificate"
            ? values.contains(setting.value) : settings.says(setting.keyword, setting.value)
        guard !isThere else {
            if account == nil { checks.append(TrustCheck(setting.keyword, sshd.configuration)) }
            return
        }
        let whom = account.map { "for account \($0.escapedForTerminal) " } ?? ""
        let value = values.first ?? "nothing"
        // Whose line it is: in a block for an account, outside of blocks else.
        let lines = (configuration?.all(setting.keyword) ?? []).filter { !(own?.contain($0) ?? false) }
        let place =
            lines.first {
                account != nil && !$0.conditions.isEmpty
                    && TrustConflicts.isSame(setting.keyword, $0.value, value)
            }
            ?? lines.first {
                $0.conditions.isEmpty && TrustConflicts.isSame(setting.keyword, $0.value, value)
            }
        let reason = place == nil ? "" : "; this line wins over ours"
        checks.append(
            TrustCheck(
                setting.keyword, place?.file ?? sshd.configuration, line: place?.line,
                problem:
                    "\(whom)sshd says \"\(value.escapedForTerminal)\" instead of \"\(setting.value.escapedForTerminal)\"\(reason)"
            ))
    }

    /// An sshd that did not read its configuration since it was changed.
    private mutating func checkRunning(_ settings: SshdSettings) {
        guard let pidFile = settings["pidfile"], let running = RunningSshd(pidFile: pidFile),
            let configuration = try? SshdConfiguration(reading: sshd.configuration, from: files)
        else { return }
        var isNew = false
        for path in configuration.filePaths {
            guard let changed = FileTime(of: path), changed > running.loaded else { continue }
            isNew = true
            checks.append(
                TrustCheck(
                    "sshd", path,
                    problem:
                        "changed after sshd (process \(running.pid)) read its configuration: it runs with an older one"
                ))
        }
        if !isNew { checks.append(TrustCheck("sshd (process \(running.pid))", sshd.configuration)) }
    }
}
