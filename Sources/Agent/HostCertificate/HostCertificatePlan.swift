// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// How a host certificate comes into sshd's configuration: a file of ours that is replaced whole, and once a line in our
/// block. What else trust install wrote stays.
public enum HostCertificatePlan {
    /// The key of sshd that is to be certified: the first of Ed25519, ECDSA and RSA whose public half lies beside it.
    ///
    /// - Throws: `.notFound` when there is none.
    public static func key(_ sshd: Sshd, _ files: any HostFiles) throws(AgentError) -> PublicKey {
        let keys = try keys(sshd, files)
        for type in [KeyType.ed25519, .ecdsaP256, .ecdsaP384, .ecdsaP521, .rsa] {
            if let key = keys.first(where: { $0.keyType == type }) { return key }
        }
        throw AgentError(
            .notFound, "no public half of a host key of sshd is there to be certified",
            hint: "ssh-keygen -y -f KEY > KEY.pub writes it")
    }

    private static func keys(_ sshd: Sshd, _ files: any HostFiles) throws(AgentError) -> [PublicKey] {
        var keys: [PublicKey] = []
        for path in try sshd.settings(for: nil).all("hostkey") where path.hasPrefix("/") {
            guard let content = try? files.read(path + ".pub"),
                let line = try? PublicKeyLine(file: content.bytes),
                let key = try? line.content.plainKey("host key")
            else { continue }
            keys.append(key)
        }
        return keys
    }

    /// Refuses where somebody else's certificate is configured: sshd would offer the last one of a key.
    public static func checkOthers(_ sshd: Sshd, _ files: any HostFiles) throws(AgentError) {
        let configuration = try SshdConfiguration(reading: sshd.configuration, from: files)
        let own = try OwnLines(configuration)
        guard let other = configuration.all("HostCertificate").first(where: { !own.contain($0) }) else {
            return
        }
        throw AgentError(
            .conflict,
            "HostCertificate \(other.value.escapedForTerminal) at \(other.place) is an administrator's own",
            hint: "take that line away, and the agent keeps a certificate up to date")
    }

    /// What is to be done so that sshd offers a certificate.
    ///
    /// - Parameters:
    ///   - removed: names that the server says were taken from this host.
    ///   - now: the time, by which the certificate must be good.
    /// - Throws: `.conflict` where trust is not installed, an administrator has a certificate of their own, the key is
    ///   not sshd's, or the installed one proves more or ends later; `.invalidRequest` for one that is not good now.
    public static func plan(
        _ new: HostCertificate, removed: [String], at now: UnixTime, host files: any HostFiles, sshd: Sshd,
        layout: HostLayout, owner: FileOwner = FileOwner()
    ) throws(AgentError) -> Plan {
        guard let recorded = try TrustRecord.read(files, layout), !recorded.settings.isEmpty else {
            throw AgentError(
                .conflict, "trust is not installed on this host", hint: "daypass-agent trust install")
        }
        let fields = new.certificate.fields
        guard fields.validAfter <= now, now < fields.validBefore else {
            throw AgentError(
                .invalidRequest,
                "host certificate: good from \(fields.validAfter) to \(fields.validBefore), and it is \(now)",
                hint: "is this host's clock right?")
        }
        try checkOthers(sshd, files)
        guard try keys(sshd, files).contains(fields.key) else {
            throw AgentError(
                .conflict, "host certificate: it is for \(fields.key.fingerprint), which is no key of sshd's")
        }
        let path = layout.hostCertificate
        let before = try files.read(path, maximumBytes: HostCertificate.maximumBytes)
        var notes = ["host certificate for \(new.names.joined(separator: ", ")), good until \(new.end)"]
        if let before {
            if let old = try? HostCertificate(parsing: before.bytes, name: path) {
                if old.certificate.encoded != new.certificate.encoded {
                    try new.checkSuccession(of: old, removed: removed)
                }
            } else {
                notes.append("\(path.escapedForTerminal) holds no certificate; it is replaced")
            }
        }
        let after = FileContent(
            try text(of: new.certificate), before?.attributes ?? owner.attributes(mode: 0o644))
        var record = recorded
        record[path] = TrustRecord.File(
            path: path, kind: .whole, original: recorded[path]?.original, sha256: Digest.sha256(after.bytes),
            attributes: after.attributes)
        var steps: [Plan.Step] = []
        if before != after {
            steps.append(
                Plan.Step(
                    .file(path: path, before: before, after: after), "the certificate of the host key"))
        }
        if let step = try configuration(&record, path, files) { steps.append(step) }
        guard record != recorded || !steps.isEmpty else { return Plan([], notes: notes) }
        let old = try files.read(layout.originals, maximumBytes: TrustRecord.maximumBytes)
        let content = FileContent(
            try record.encode(), old?.attributes ?? owner.attributes(mode: 0o600))
        let recordStep = Plan.Step(
            .file(path: layout.originals, before: old, after: content), "what trust status compares with")
        return Plan((old == content ? [] : [recordStep]) + steps, notes: notes)
    }

    /// The line in our block; nil where it stands there already.
    private static func configuration(
        _ record: inout TrustRecord, _ path: String, _ files: any HostFiles
    ) throws(AgentError) -> Plan.Step? {
        let setting = TrustRecord.Setting(keyword: "hostcertificate", value: path)
        if !record.settings.contains(setting) { record.settings.append(setting) }
        guard var file = record.files.first(where: { $0.kind == .settingsBlock }), let block = file.block
        else {
            throw AgentError(.damaged, "the record of trust install names no block of sshd's settings")
        }
        let line = "HostCertificate \(path)"
        let marked = block.split(separator: "\n").map(String.init)
        let lines = marked.dropFirst().dropLast()
        guard !lines.contains(line) else { return nil }
        guard let before = try files.read(file.path),
            try TrustBlock.find(in: before.bytes, name: file.path) != nil
        else {
            throw AgentError(
                .conflict, "\(file.path.escapedForTerminal): our block of sshd's settings is not there",
                hint: "daypass-agent trust install puts it back")
        }
        let wanted = lines + [line]
        let after = FileContent(
            try TrustBlock.put(Array(wanted), into: before.bytes, name: file.path), before.attributes)
        file.block = String(decoding: TrustBlock.text(Array(wanted)), as: UTF8.self)
        file.sha256 = Digest.sha256(after.bytes)
        record[file.path] = file
        return Plan.Step(
            .file(path: file.path, before: before, after: after), "sshd offers the host certificate")
    }

    private static func text(of certificate: Certificate) throws(AgentError) -> [UInt8] {
        do throws(SSHWireError) {
            return Array((try PublicKeyLine(.certificate(certificate)).text + "\n").utf8)
        } catch {
            throw AgentError(.invalidRequest, error.reason)
        }
    }
}
