// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The encodings of the control plane's records (docs/formats/log-entry.md).
extension DecisionRecord {
    func write(to writer: inout WireWriter) {
        writer.write(verdict.rawValue)
        for text in [session, host, login, keyFingerprint, sourceAddress] { writer.writeString(text) }
        writer.writeString(policyDigest)
        writer.writeString(rule)
        writer.writeNested { writer in reasons.forEach { writer.writeString($0) } }
        if let request { writer.writeString(request) }
    }

    init(from reader: inout WireReader, version: UInt8) throws(SSHWireError) {
        let number = try reader.readUInt8("verdict")
        guard let verdict = Verdict(rawValue: number) else {
            throw SSHWireError(.unsupportedType, "verdict \(number) is not known")
        }
        self.verdict = verdict
        session = try reader.readText("session", upTo: 64)
        host = try reader.readText("host", upTo: 256)
        login = try reader.readText("login", upTo: 256)
        keyFingerprint = try reader.readText("fingerprint", upTo: 256)
        sourceAddress = try reader.readText("source address", upTo: 64)
        policyDigest = try reader.readBytes("policy digest", upTo: 32)
        guard policyDigest.count == 32 else {
            throw SSHWireError(.truncated, "policy digest: \(policyDigest.count) bytes, 32 expected")
        }
        rule = try reader.readText("rule", upTo: 256)
        reasons = try reader.readTexts("reasons")
        request = version == 1 ? nil : try reader.readText("request", upTo: 64)
    }
}

extension LoginRecord {
    func write(to writer: inout WireWriter) {
        writer.write(change.rawValue)
        writer.writeString(identity.text)
        for text in [session, provider, keyFingerprint, sourceAddress] { writer.writeString(text) }
        writer.write(expires.seconds)
        writer.writeString(reason)
    }

    init(from reader: inout WireReader) throws(SSHWireError) {
        let number = try reader.readUInt8("session change")
        guard let change = Change(rawValue: number) else {
            throw SSHWireError(.unsupportedType, "session change \(number) is not known")
        }
        self.change = change
        identity = try reader.readIdentity("identity")
        session = try reader.readText("session", upTo: 64)
        provider = try reader.readText("provider", upTo: 256)
        keyFingerprint = try reader.readText("fingerprint", upTo: 256)
        sourceAddress = try reader.readText("source address", upTo: 64)
        expires = UnixTime(seconds: try reader.readUInt64("expiry"))
        reason = try reader.readText("reason", upTo: 1_024)
    }
}

extension ChangeRecord {
    func write(to writer: inout WireWriter) {
        writer.write(subject.rawValue)
        writer.write(UInt8(isPresent ? 1 : 0))
        writer.writeString(name)
        writer.writeString(detail)
    }

    init(from reader: inout WireReader) throws(SSHWireError) {
        let number = try reader.readUInt8("subject")
        guard let subject = Subject(rawValue: number) else {
            throw SSHWireError(.unsupportedType, "subject \(number) is not known")
        }
        self.subject = subject
        let presence = try reader.readUInt8("presence")
        guard presence <= 1 else {
            throw SSHWireError(.invalidValue, "presence \(presence), 0 or 1 expected")
        }
        isPresent = presence == 1
        name = try reader.readText("name", upTo: 512)
        detail = try reader.readText("detail", upTo: Self.maximumDetailBytes)
    }
}
