// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// The exact encoding of entries (docs/formats/log-entry.md): one entry has one encoding and back.
extension LogEntry {
    /// Every kind's first version, and what kinds have whose fields were changed.
    private static let version: UInt8 = 1
    private static let changedVersion: UInt8 = 2

    /// The second byte of an entry.
    public enum Kind: UInt8, Sendable {
        case issuance = 1
        case refusal = 2
        case revocation = 3
        case authority = 4
        case recovery = 5
        case decision = 6
        case login = 7
        case change = 8
        case hostEvent = 9
        case request = 10
        case approval = 11
        case fleetTrust = 12
        case alert = 13

        /// The newest version that its entries have.
        fileprivate var newestVersion: UInt8 {
            switch self {
            case .decision, .hostEvent: LogEntry.changedVersion
            default: LogEntry.version
            }
        }
    }

    /// What an entry is about, without parsing it; nil for what is none.
    public static func kind(of encoded: Span<UInt8>) -> Kind? {
        encoded.count > 1 ? Kind(rawValue: encoded[1]) : nil
    }

    /// The entry's bytes, whose hash is its leaf in the log.
    ///
    /// - Throws: `.invalidRequest` when they would be over ``maximumBytes``, or could not be read back.
    public func encoded() throws(CertAuthorityError) -> [UInt8] {
        var writer = WireWriter(reserving: expectedBytes)
        writer.write(encodedVersion)
        switch event {
        case .issuance(let record):
            writeHead(.issuance, to: &writer)
            writer.writeString(record.toBeSigned)
        case .refusal(let record):
            writeHead(.refusal, to: &writer)
            writer.write(record.kind.rawValue)
            writer.writeString(record.identity.text)
            writer.writeString(record.keyFingerprint)
            writer.writeNested { writer in record.principals.forEach { writer.writeString($0) } }
            writer.writeNested { writer in record.reasons.forEach { writer.writeString($0) } }
        case .revocation(let record):
            writeHead(.revocation, to: &writer)
            record.target.write(to: &writer)
            writer.write(record.expires?.seconds ?? UInt64.max)
            writer.writeString(record.reason)
        case .authority(let record):
            writeHead(.authority, to: &writer)
            writer.write(record.change.rawValue)
            writer.write(record.role.rawValue)
            writer.writeString(record.key.encoded)
        case .recovery(let record):
            writeHead(.recovery, to: &writer)
            writer.write(record.knownSize)
            writer.writeString(record.knownRoot)
        case .decision(let record):
            writeHead(.decision, to: &writer)
            record.write(to: &writer)
        case .login(let record):
            writeHead(.login, to: &writer)
            record.write(to: &writer)
        case .change(let record):
            writeHead(.change, to: &writer)
            record.write(to: &writer)
        case .hostEvent(let record):
            writeHead(.hostEvent, to: &writer)
            record.write(to: &writer)
        case .request(let record):
            writeHead(.request, to: &writer)
            record.write(to: &writer)
        case .approval(let record):
            writeHead(.approval, to: &writer)
            record.write(to: &writer)
        case .alert(let record):
            writeHead(.alert, to: &writer)
            record.write(to: &writer)
        case .fleetTrust(let record):
            writeHead(.fleetTrust, to: &writer)
            record.write(to: &writer)
        }
        guard writer.bytes.count <= Self.maximumBytes else {
            throw CertAuthorityError(
                .invalidRequest,
                "log entry: \(writer.bytes.count) bytes, at most \(Self.maximumBytes) are allowed",
                hint: "use fewer or shorter principals and options, or a smaller key")
        }
        // What policy approved holds only what its types let in, and there are many of those a second.
        if case .issuance = event { return writer.bytes }
        do throws(CertAuthorityError) {
            guard try LogEntry(encoded: writer.bytes.span) == self else {
                throw CertAuthorityError(.invalidRequest, "log entry: it would read back as another")
            }
        } catch {
            throw CertAuthorityError(.invalidRequest, error.reason)
        }
        return writer.bytes
    }

    /// An entry that was read has the version that it had.
    private var encodedVersion: UInt8 {
        switch event {
        case .decision(let record): record.request == nil ? Self.version : Self.changedVersion
        case .hostEvent(let record): record.gap == nil ? Self.version : Self.changedVersion
        default: Self.version
        }
    }

    /// Room for all of an issuance, and for most others.
    private var expectedBytes: Int {
        guard case .issuance(let record) = event else { return 512 }
        return record.toBeSigned.count + requester.text.string.utf8.count + 18
    }

    private func writeHead(_ kind: Kind, to writer: inout WireWriter) {
        writer.write(kind.rawValue)
        writer.write(milliseconds)
        writer.writeString(requester.text)
    }

    /// Parses an entry to its last byte.
    ///
    /// - Throws: `.logInconsistent`, naming the field.
    public init(encoded: Span<UInt8>) throws(CertAuthorityError) {
        do {
            var reader = WireReader(encoded)
            let version = try reader.readUInt8("version")
            guard (Self.version...Self.changedVersion).contains(version) else {
                throw SSHWireError(
                    .unsupportedType,
                    "version \(version), \(Self.version) to \(Self.changedVersion) are supported")
            }
            let number = try reader.readUInt8("kind")
            guard let kind = Kind(rawValue: number) else {
                throw SSHWireError(.unsupportedType, "kind \(number) is not known")
            }
            guard version <= kind.newestVersion else {
                throw SSHWireError(
                    .unsupportedType,
                    "version \(version) of kind \(number), \(kind.newestVersion) is supported")
            }
            milliseconds = try reader.readUInt64("time")
            requester = try reader.readIdentity("requester")
            event =
                switch kind {
                case .issuance:
                    .issuance(
                        try UnsignedCertificate(
                            toBeSigned: try reader.readBytes("to be signed", upTo: LogEntry.maximumBytes)))
                case .refusal: .refusal(try RefusalRecord(from: &reader))
                case .revocation: .revocation(try RevocationRecord(from: &reader))
                case .authority: .authority(try AuthorityRecord(from: &reader))
                case .recovery: .recovery(try RecoveryRecord(from: &reader))
                case .decision: .decision(try DecisionRecord(from: &reader, version: version))
                case .login: .login(try LoginRecord(from: &reader))
                case .change: .change(try ChangeRecord(from: &reader))
                case .hostEvent: .hostEvent(try HostEventRecord(from: &reader, version: version))
                case .request: .request(try RequestRecord(from: &reader))
                case .approval: .approval(try ApprovalRecord(from: &reader))
                case .alert: .alert(try AlertRecord(from: &reader))
                case .fleetTrust: .fleetTrust(try FleetTrustRecord(from: &reader))
                }
            try reader.finish("log entry")
        } catch let error as SSHWireError {
            throw CertAuthorityError(.logInconsistent, "log entry: \(error.reason)")
        } catch {
            throw CertAuthorityError(.logInconsistent, "log entry: \(error)")
        }
    }
}

extension WireReader {
    mutating func readIdentity(_ field: StaticString) throws(SSHWireError) -> Identity {
        let text = try readText(field, upTo: Identity.maximumBytes)
        do {
            return try Identity(text.string, field: "\(field)")
        } catch {
            throw SSHWireError(.invalidValue, error.reason)
        }
    }

    mutating func readTexts(_ field: StaticString) throws(SSHWireError) -> [ExactText] {
        try readNested(field, upTo: LogEntry.maximumBytes) { inner throws(SSHWireError) in
            var texts: [ExactText] = []
            while !inner.isAtEnd { texts.append(try inner.readText(field, upTo: LogEntry.maximumBytes)) }
            return texts
        }
    }

    fileprivate mutating func readKind() throws(SSHWireError) -> CertificateKind {
        let number = try readUInt32("certificate kind")
        guard let kind = CertificateKind(rawValue: number) else {
            throw SSHWireError(.invalidValue, "certificate kind \(number)")
        }
        return kind
    }

    fileprivate mutating func readKey(_ field: StaticString) throws(SSHWireError) -> PublicKey {
        try PublicKey(encoded: try readString(field, upTo: Limits.keyBlobBytes))
    }
}

extension RefusalRecord {
    fileprivate init(from reader: inout WireReader) throws(SSHWireError) {
        kind = try reader.readKind()
        identity = try reader.readIdentity("identity")
        keyFingerprint = try reader.readText("fingerprint", upTo: 256)
        principals = try reader.readTexts("principals")
        reasons = try reader.readTexts("reasons")
    }
}

extension RevocationRecord {
    fileprivate init(from reader: inout WireReader) throws(SSHWireError) {
        let target = try Target(from: &reader)
        let expires = UnixTime(seconds: try reader.readUInt64("expiry"))
        let reason = try reader.readText("reason", upTo: 1_024)
        self.init(uncheckedTarget: target, expires: expires == .forever ? nil : expires, reason: reason)
    }
}

extension RevocationRecord.Target {
    fileprivate func write(to writer: inout WireWriter) {
        switch self {
        case .serial(let serial, let authority):
            writer.write(UInt8(1))
            writer.writeString(authority.encoded)
            writer.write(serial)
        case .keyID(let keyID, let authority):
            writer.write(UInt8(2))
            writer.writeString(authority.encoded)
            writer.writeString(keyID)
        case .key(let key):
            writer.write(UInt8(3))
            writer.writeString(key.encoded)
        }
    }

    fileprivate init(from reader: inout WireReader) throws(SSHWireError) {
        let form = try reader.readUInt8("revocation target")
        switch form {
        case 1:
            let authority = try reader.readKey("authority")
            self = .serial(try reader.readUInt64("serial"), authority: authority)
        case 2:
            let authority = try reader.readKey("authority")
            self = .keyID(try reader.readText("key ID", upTo: Limits.keyIDBytes), authority: authority)
        case 3: self = .key(try reader.readKey("key"))
        default: throw SSHWireError(.unsupportedType, "revocation target \(form) is not known")
        }
    }
}

extension AuthorityRecord {
    fileprivate init(from reader: inout WireReader) throws(SSHWireError) {
        let change = try reader.readUInt8("change")
        let role = try reader.readUInt8("role")
        guard let change = Change(rawValue: change), let role = AuthorityRole(rawValue: role) else {
            throw SSHWireError(.unsupportedType, "change \(change) of role \(role) is not known")
        }
        self.init(change: change, role: role, key: try reader.readKey("key"))
    }
}

extension RecoveryRecord {
    fileprivate init(from reader: inout WireReader) throws(SSHWireError) {
        let size = try reader.readUInt64("known size")
        let root = try reader.readBytes("known root", upTo: 32)
        guard root.count == 32 else {
            throw SSHWireError(.truncated, "known root: \(root.count) bytes, 32 expected")
        }
        self.init(knownSize: size, knownRoot: root)
    }
}
