// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
public import SSHWire

/// Looks for static access: what opens accounts of this host without a certificate. Changes nothing.
public struct Scan: Sendable {
    private let sshd: Sshd
    private let files: any HostFiles
    private let programs: any ProgramRunner
    /// The client whose logins are asked about.
    private let address: String
    private let host: String

    public init(
        sshd: Sshd, address: String = "192.0.2.1", host: String = "client.invalid",
        files: any HostFiles = SystemFiles(), programs: any ProgramRunner = SystemPrograms()
    ) {
        self.sshd = sshd
        self.address = address
        self.host = host
        self.files = files
        self.programs = programs
    }

    /// Keys of one host that are listed: ours.
    static let maximumKeys = 1 << 20

    /// Looks at every account.
    ///
    /// - Parameters:
    ///   - uses: what the session records know.
    ///   - zoneOffset: how far local time is ahead of UTC, in seconds, for `expiry-time` without Z.
    ///   - progress: told how many of how many accounts are done.
    /// - Throws: `.sshd` when sshd refuses its configuration, `.file` when accounts cannot be listed. Whatever is wrong
    ///   with one account's files is part of the report.
    public func run(
        accounts: [HostAccount], uses: KeyUses, now: UnixTime, zoneOffset: Int?,
        progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) throws(AgentError) -> ScanReport {
        let release = SshdRelease.find(sshd.binary, files: files, programs: programs)
        let blocks = MatchBlocks(configuration: sshd.configuration, files: files)
        var notes: [String] = []
        if geteuid() != 0 {
            notes.append("not run as root: what only root or an account can read is missing")
        }
        if !blocks.clientPlaces.isEmpty {
            notes.append(
                "Match blocks ask about the client or the server's address (\(blocks.clientPlaces.joined(separator: ", ").escapedForTerminal)): this is what holds for "
                    + "\(address), see --address and --host")
        }
        if release == nil { notes.append("\(sshd.binary.escapedForTerminal) does not tell its version") }

        var common: ScanSettings?
        var found: [Found] = []
        var keys = 0
        for (index, account) in accounts.enumerated() {
            progress(index, accounts.count)
            let settings: ScanSettings
            if let common, !blocks.dependOnAccount {
                settings = common
            } else {
                do throws(AgentError) {
                    settings = ScanSettings(
                        try sshd.settings(
                            for: Sshd.Connection(user: account.name, host: host, address: address)))
                } catch {
                    // An account's name that sshd -C cannot be asked about; anything else holds for all accounts.
                    guard error.code == .invalidRequest else { throw error }
                    notes.append("\(account.name.escapedForTerminal): left out: \(error.reason)")
                    continue
                }
                common = settings
            }
            found.append(look(at: account, settings, release, now, zoneOffset, &keys, &notes))
        }
        progress(accounts.count, accounts.count)
        return report(found, release, uses, now, notes)
    }

    /// What was found for one account before all of it is known.
    private struct Found {
        var account: HostAccount
        var settings: ScanSettings
        var files: [(file: AccountFile, keys: [ScannedKey], unreadable: [(line: Int, reason: String)])] = []
        var problems: [String] = []
        var principals: Int?
    }

    private func look(
        at account: HostAccount, _ settings: ScanSettings, _ release: SshdRelease?, _ now: UnixTime,
        _ zoneOffset: Int?, _ total: inout Int, _ notes: inout [String]
    ) -> Found {
        var found = Found(account: account, settings: settings)
        let acceptance = KeyAcceptance(
            algorithms: settings.algorithms, requiredRSABits: settings.requiredRSABits, now: now,
            zoneOffset: zoneOffset)
        var seen: Set<String> = []
        for pattern in settings.keyFilePatterns {
            guard let path = AccountPath.expand(pattern, for: account) else {
                if pattern.lowercased() != "none" {
                    found.problems.append(
                        "AuthorizedKeysFile \(pattern.escapedForTerminal): no path can be made of it")
                }
                continue
            }
            for path in paths(path, account, release) where seen.insert(path).inserted {
                do throws(AgentError) {
                    guard let file = try AccountFile.read(path, as: account) else { continue }
                    let (keys, unreadable) = Self.read(file, acceptance)
                    total += keys.count
                    guard total <= Self.maximumKeys else {
                        found.problems.append(
                            "\(path.escapedForTerminal): over \(Self.maximumKeys) keys on this host")
                        continue
                    }
                    found.files.append((file, keys, unreadable))
                } catch {
                    found.problems.append(error.reason)
                }
            }
        }
        found.principals = principals(account, settings)
        return found
    }

    /// The files that a path stands for: since 10.0 sshd takes glob(3)'s patterns.
    private func paths(_ path: String, _ account: HostAccount, _ release: SshdRelease?) -> [String] {
        guard let release, !release.precedes(10, 0, portable: 0) else { return [path] }
        return (try? AccountFile.expand(path, as: account)) ?? [path]
    }

    /// The lines of a file. A line that is no text does not hide the others, as it doesn't for sshd.
    private static func read(_ file: AccountFile, _ acceptance: KeyAcceptance)
        -> (keys: [ScannedKey], unreadable: [(line: Int, reason: String)])
    {
        var keys: [ScannedKey] = []
        var unreadable: [(line: Int, reason: String)] = []
        var number = 0
        var rest = file.bytes[...]
        while !rest.isEmpty {
            number += 1
            let end = rest.firstIndex(of: UInt8(ascii: "\n"))
            let line = rest[rest.startIndex..<(end ?? rest.endIndex)]
            rest = end.map { rest[($0 + 1)...] } ?? []
            switch ScannedLine(line, number: number, settings: acceptance) {
            case .nothing: break
            case .key(let key): keys.append(key)
            case .unreadable(let reason):
                if unreadable.count < maximumUnreadable { unreadable.append((number, reason)) }
            }
        }
        return (keys, unreadable)
    }

    /// Unreadable lines of one file that are listed; a file of junk has as many as bytes.
    static let maximumUnreadable = 100

    /// How many names a certificate may have one of; nil when none opens the account.
    private func principals(_ account: HostAccount, _ settings: ScanSettings) -> Int? {
        guard settings.trustedCAKeys != nil, settings.takesKeys else { return nil }
        guard let pattern = settings.principalsFilePattern else {
            // Without a list, the account's own name is the one (auth2-pubkey.c, user_cert_trusted_ca).
            return settings.principalsCommand == nil ? 1 : nil
        }
        guard let path = AccountPath.expand(pattern, for: account),
            let file = (try? AccountFile.read(path, as: account)) ?? nil
        else { return nil }
        let lines = file.bytes.split(separator: UInt8(ascii: "\n")).filter { line in
            let content = line.drop { $0 == 0x20 || $0 == 0x09 }
            return !content.isEmpty && content.first != UInt8(ascii: "#")
        }
        return lines.isEmpty ? nil : lines.count
    }
}

extension Scan {
    private func report(
        _ found: [Found], _ release: SshdRelease?, _ uses: KeyUses, _ now: UnixTime, _ notes: [String]
    ) -> ScanReport {
        var holders: [String: [String]] = [:]
        for account in found {
            for fingerprint in Set(account.files.flatMap { $0.keys.map(\.identity.fingerprint) }) {
                holders[fingerprint, default: []].append(account.account.name)
            }
        }
        let accounts = found.map { found in
            let files = found.files.map { entry in
                let keys = entry.keys.map { key in
                    let lastUse = uses.last[key.identity.fingerprint]
                    return ScanReport.Key(
                        account: found.account.name, file: entry.file.path, fileModified: entry.file.modified,
                        key: key, lastUse: lastUse,
                        otherAccounts: (holders[key.identity.fingerprint] ?? []).filter {
                            !$0.utf8.elementsEqual(found.account.name.utf8)
                        },
                        suggestion: .make(
                            key, lastUse: lastUse, recordsBegin: uses.begin,
                            hasCertificates: found.principals != nil, now: now))
                }
                return ScanReport.File(
                    path: entry.file.path, realPath: entry.file.realPath, owner: entry.file.owner,
                    mode: entry.file.mode, modified: entry.file.modified, unreadable: entry.unreadable,
                    looseness: entry.file.looseness, keys: keys)
            }
            return ScanReport.Account(
                account: found.account, settings: found.settings, files: files, problems: found.problems,
                passwordLogin: found.settings.passwordLogin(found.account),
                keysAreUseless: found.settings.keysAreUseless(found.account), principals: found.principals)
        }
        var notes = notes
        let authorities = self.authorities(found, now, &notes)
        let exposure = SshdExposure(
            hasCommand: found.contains {
                $0.settings.keysCommand != nil || $0.settings.principalsCommand != nil
            },
            hasAuthorityLine: accounts.contains { $0.keys.contains { $0.key.isCertAuthority } },
            hasRestriction: accounts.contains { $0.keys.contains { $0.key.isRestricted } },
            takesPasswords: found.contains {
                $0.settings.takesPasswords || $0.settings.takesKeyboardInteractive
            })
        return ScanReport(
            hostName: Self.hostName(), time: now, sshd: sshd.binary, configuration: sshd.configuration,
            release: release, incidents: release.map { SshdIncident.known(of: $0, exposure: exposure) } ?? [],
            authorities: authorities, recordsBegin: uses.begin, accounts: accounts, notes: notes)
    }

    /// The CAs of every `TrustedUserCAKeys` that is set for somebody.
    private func authorities(_ found: [Found], _ now: UnixTime, _ notes: inout [String]) -> [ScanReport
        .Authority]
    {
        var authorities: [ScanReport.Authority] = []
        for path in Set(found.compactMap(\.settings.trustedCAKeys)).sorted() {
            // sshd reads it as root.
            let root = HostAccount(name: "root", userID: 0, groupID: 0, home: "/", shell: "")
            do throws(AgentError) {
                guard let file = try AccountFile.read(path, as: root) else {
                    notes.append("TrustedUserCAKeys \(path.escapedForTerminal) does not exist")
                    continue
                }
                for key in Self.read(file, KeyAcceptance(now: now)).keys {
                    authorities.append(
                        ScanReport.Authority(
                            file: path, line: key.line, identity: key.identity, comment: key.comment))
                }
            } catch {
                notes.append("TrustedUserCAKeys: \(error.reason)")
            }
        }
        return authorities
    }

    private static func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
