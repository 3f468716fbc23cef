// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The story of a certificate, a session or a request, out of the log (`GET /v1/why`).
public struct ChainInfo: Sendable, Hashable {
    /// One entry of the log.
    public struct Step: Sendable, Hashable {
        /// Its place in the log.
        public var index: UInt64
        /// When the log got it, in milliseconds since 1970.
        public var recorded: UInt64
        /// What happened: "request", "approval", "decision", "certificate", "host-login", ….
        public var step: String
        /// Who did or reported it.
        public var who: String
        /// The rest by name, in the order for people.
        public var facts: [Fact]

        public init(index: UInt64, recorded: UInt64, step: String, who: String, facts: [Fact]) {
            self.index = index
            self.recorded = recorded
            self.step = step
            self.who = who
            self.facts = facts
        }

        public subscript(name: String) -> String? { facts.first { $0.name == name }?.value }

        public var json: JSONValue {
            var members = JSONMembers()
            members.add("index", Int64(clamping: index))
            members.add("recorded", Int64(clamping: recorded))
            members.add("step", step)
            members.add("who", who)
            members.add("facts", .object(facts.map { .init($0.name, .string($0.value)) }))
            return members.value
        }

        public init(json: JSONValue) throws(ControlProtocolError) {
            var fields = try JSONFields(json, "step")
            index = try fields.needCount("index")
            recorded = try fields.needCount("recorded")
            step = try fields.needText("step")
            who = try fields.needText("who")
            guard case .object(let members)? = fields.take("facts") else {
                throw fields.wrong("facts", "an object of texts")
            }
            facts = []
            for member in members {
                guard let text = member.value.string else {
                    throw fields.wrong("facts", "an object of texts")
                }
                facts.append(Fact(name: member.name, value: text))
            }
            try fields.finish()
        }
    }

    public struct Fact: Sendable, Hashable {
        public var name: String
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// In the order of the log.
    public var steps: [Step]
    /// True where hosts reported more than is shown.
    public var isCut: Bool

    public init(steps: [Step], isCut: Bool) {
        self.steps = steps
        self.isCut = isCut
    }

    public var json: JSONValue {
        .object([.init("steps", .array(steps.map(\.json))), .init("cut", .bool(isCut))])
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "chain")
        steps = []
        for value in try fields.takeArray("steps") ?? [] { steps.append(try Step(json: value)) }
        isCut = try fields.takeFlag("cut") ?? false
        try fields.finish()
    }
}
