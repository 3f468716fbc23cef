// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

extension LoginMethod {
    var json: JSONValue {
        var members = JSONMembers()
        members.add("method", name)
        switch proof {
        case nil: break
        case .certificate(let certificate): members.add("certificate", certificate.json)
        case .key(let type, let fingerprint):
            members.add("keyType", type)
            members.add("keyFingerprint", fingerprint)
        case .unreadable(let reason, let sha256):
            members.add("unreadable", reason)
            members.add("sha256", sha256)
        }
        return members.value
    }

    init(_ value: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(value, "method")
        name = try fields.need("method", try fields.takeText("method"))
        if let certificate = fields.take("certificate") {
            proof = .certificate(try CertificateUse(certificate))
        } else if let type = try fields.takeText("keyType") {
            proof = .key(
                type: type,
                fingerprint: try fields.need("keyFingerprint", try fields.takeText("keyFingerprint")))
        } else if let reason = try fields.takeText("unreadable") {
            proof = .unreadable(
                reason: reason, sha256: try fields.need("sha256", try fields.takeText("sha256")))
        }
        try fields.finish()
    }
}

extension CertificateUse {
    var json: JSONValue {
        var members = JSONMembers()
        members.add("type", type)
        members.add("kind", kind)
        members.add("serial", String(serial))
        members.add("keyID", keyID)
        members.add("identity", identity)
        members.add("principals", .array(principals.map(JSONValue.string)))
        members.add("validAfter", validAfter?.description)
        members.add("validBefore", validBefore?.description)
        members.add("criticalOptions", .array(criticalOptions.map(\.json)))
        members.add("extensions", .array(extensions.map(\.json)))
        members.add("keyFingerprint", keyFingerprint)
        members.add("sha256", sha256)
        members.add("signedSHA256", signedSHA256)
        var authority = JSONMembers()
        authority.add("fingerprint", self.authority.fingerprint)
        authority.add("type", self.authority.type)
        authority.add("name", self.authority.name)
        authority.add("trusted", .bool(self.authority.isTrusted))
        members.add("authority", authority.value)
        return members.value
    }

    init(_ value: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(value, "certificate")
        let serialText = try fields.need("serial", try fields.takeText("serial"))
        guard let serial = decimal(serialText.utf8), String(serial) == serialText else {
            throw fields.wrong("serial", "a number of 64 bits in a text")
        }
        let keyID = try fields.need("keyID", try fields.takeText("keyID"))
        var authority = try JSONFields(
            try fields.need("authority", fields.take("authority")), "authority")
        self.init(
            serial: serial, keyID: keyID,
            authority: Authority(
                fingerprint: try authority.need("fingerprint", try authority.takeText("fingerprint")),
                type: try authority.takeText("type"), name: try authority.takeText("name"),
                isTrusted: try authority.need("trusted", authority.take("trusted")?.bool)))
        try authority.finish()
        type = try fields.takeText("type")
        kind = try fields.takeText("kind")
        // A second spelling of the key ID, for readers that want no rule.
        guard try fields.takeText("identity")?.utf8.elementsEqual(identity.utf8) == true else {
            throw fields.wrong("identity", "the key ID up to its last #")
        }
        principals = try Self.texts(try fields.takeArray("principals") ?? [])
        validAfter = try Self.time("validAfter", &fields)
        validBefore = try Self.time("validBefore", &fields)
        criticalOptions = try Self.options(try fields.takeArray("criticalOptions") ?? [])
        extensions = try Self.options(try fields.takeArray("extensions") ?? [])
        keyFingerprint = try fields.takeText("keyFingerprint")
        sha256 = try fields.takeText("sha256")
        signedSHA256 = try fields.takeText("signedSHA256")
        try fields.finish()
    }

    private static func texts(_ values: [JSONValue]) throws(ControlProtocolError) -> [String] {
        var texts: [String] = []
        for value in values {
            guard let text = value.string else {
                throw ControlProtocolError(.invalidValue, "principals: texts expected")
            }
            texts.append(text)
        }
        return texts
    }

    private static func options(_ values: [JSONValue]) throws(ControlProtocolError) -> [Option] {
        var options: [Option] = []
        for value in values {
            var fields = try JSONFields(value, "option")
            options.append(
                Option(
                    name: try fields.need("name", try fields.takeText("name")),
                    value: try fields.takeText("value"), data: try fields.takeText("data")))
            try fields.finish()
        }
        return options
    }

    private static func time(_ name: String, _ fields: inout JSONFields) throws(ControlProtocolError)
        -> UnixTime?
    {
        guard let text = try fields.takeText(name) else { return nil }
        guard let time = UnixTime(recordText: text) else { throw fields.wrong(name, "a time") }
        return time
    }
}

extension CertificateUse.Option {
    var json: JSONValue {
        var members = JSONMembers()
        members.add("name", name)
        members.add("value", value)
        members.add("data", data)
        return members.value
    }
}
