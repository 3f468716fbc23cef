// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension SessionEvent {
    /// Adds everything but the kind and the time, which a record has in front.
    func write(to members: inout JSONMembers) {
        members.add("via", via.rawValue)
        members.add("session", session)
        members.add("account", account)
        members.add("service", service)
        members.add("source", source?.json)
        members.add("destination", destination?.json)
        members.add("remoteHost", remoteHost)
        members.add("terminal", terminal)
        members.add("pid", pid.map(Int64.init))
        members.add("processStart", processStart.map(Int64.init(clamping:)))
        members.add("boot", boot)
        if !methods.isEmpty { members.add("methods", .array(methods.map(\.json))) }
        members.add("durationMicroseconds", durationMicroseconds.map(Int64.init(clamping:)))
        members.add("notBefore", notBefore?.description)
        members.add("notAfter", notAfter?.description)
        members.add("reason", reason)
        members.add("actor", actor)
        members.add("file", file)
        members.add("count", count.map(Int64.init(clamping:)))
        members.add("sha256", sha256)
        members.add("lastSequence", lastSequence.map(Int64.init(clamping:)))
    }

    init(_ fields: inout JSONFields) throws(ControlProtocolError) {
        let kindName = try fields.need("event", try fields.takeText("event"))
        let viaName = try fields.need("via", try fields.takeText("via"))
        guard let kind = Kind(rawValue: kindName) else { throw fields.wrong("event", "one that is known") }
        guard let via = Via(rawValue: viaName) else { throw fields.wrong("via", "one that is known") }
        guard let time = try Self.time("time", &fields) else {
            throw ControlProtocolError(.missing, "record: time is missing")
        }
        self.init(
            kind, via: via, time: time,
            uptimeMicroseconds: try fields.need(
                "uptimeMicroseconds", try fields.takeCount("uptimeMicroseconds")))
        session = try fields.takeText("session")
        account = try fields.takeText("account")
        service = try fields.takeText("service")
        source = try fields.take("source").map(Endpoint.init)
        destination = try fields.take("destination").map(Endpoint.init)
        remoteHost = try fields.takeText("remoteHost")
        terminal = try fields.takeText("terminal")
        pid = try fields.takeNumber("pid", 1...Int64(Int32.max)).map(Int32.init(truncatingIfNeeded:))
        processStart = try fields.takeCount("processStart")
        boot = try fields.takeText("boot")
        for method in try fields.takeArray("methods") ?? [] { methods.append(try LoginMethod(method)) }
        durationMicroseconds = try fields.takeCount("durationMicroseconds")
        notBefore = try Self.time("notBefore", &fields)
        notAfter = try Self.time("notAfter", &fields)
        reason = try fields.takeText("reason")
        actor = try fields.takeText("actor")
        file = try fields.takeText("file")
        count = try fields.takeCount("count")
        sha256 = try fields.takeText("sha256")
        lastSequence = try fields.takeCount("lastSequence")
    }

    private static func time(_ name: String, _ fields: inout JSONFields) throws(ControlProtocolError)
        -> RecordTime?
    {
        guard let text = try fields.takeText(name) else { return nil }
        guard let time = RecordTime(text) else {
            throw fields.wrong(name, "a time with nine digits behind its point")
        }
        return time
    }
}

extension JSONFields {
    /// Takes a number out that is not negative.
    mutating func takeCount(_ name: String) throws(ControlProtocolError) -> UInt64? {
        try takeNumber(name).map(UInt64.init(clamping:))
    }
}

extension SessionEvent.Endpoint {
    var json: JSONValue {
        var members = JSONMembers()
        members.add("address", address)
        members.add("port", port.map(Int64.init))
        return members.value
    }

    init(_ value: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(value, "endpoint")
        address = try fields.need("address", try fields.takeText("address"))
        port = try fields.takeNumber("port", 0...65_535).map(UInt16.init(clamping:))
        try fields.finish()
    }
}
