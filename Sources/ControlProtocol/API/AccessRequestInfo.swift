// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// A request for access and what became of it (`GET /v1/requests/{id}`).
public struct AccessRequestInfo: Sendable, Hashable {
    /// 32 hexadecimal digits.
    public var id: String
    public var status: String
    public var person: String
    /// The hosts' ids.
    public var hosts: [String]
    public var login: String
    public var wantsSudo: Bool
    /// In seconds.
    public var duration: Int64
    public var reason: String
    public var ticket: String?
    public var rule: String
    public var isBreakGlass: Bool
    /// In seconds since 1970, as are all times here.
    public var created: Int64
    /// Until when it waits.
    public var expires: Int64
    /// Until when it is granted; nil where it isn't.
    public var grantedUntil: Int64?
    /// Who has approved it.
    public var approvers: [String]
    /// How many have to.
    public var needed: Int64
    /// Who may, in words.
    public var mayApprove: String
    /// Who ended it, and why.
    public var endedBy: String?
    public var endReason: String?
    /// "open" or "acknowledged", of access without approval.
    public var review: String?
    public var reviewedBy: String?
    public var note: String?
    /// What whoever approves it signs.
    public var text: String
    /// What each host has made of it; empty where it was never granted.
    public var delivery: [HostDelivery]

    public init(
        id: String, status: String, person: String, hosts: [String], login: String, wantsSudo: Bool,
        duration: Int64, reason: String, ticket: String?, rule: String, isBreakGlass: Bool, created: Int64,
        expires: Int64, grantedUntil: Int64?, approvers: [String], needed: Int64, mayApprove: String,
        endedBy: String?, endReason: String?, review: String?, reviewedBy: String?, note: String?,
        text: String, delivery: [HostDelivery] = []
    ) {
        self.id = id
        self.status = status
        self.person = person
        self.hosts = hosts
        self.login = login
        self.wantsSudo = wantsSudo
        self.duration = duration
        self.reason = reason
        self.ticket = ticket
        self.rule = rule
        self.isBreakGlass = isBreakGlass
        self.created = created
        self.expires = expires
        self.grantedUntil = grantedUntil
        self.approvers = approvers
        self.needed = needed
        self.mayApprove = mayApprove
        self.endedBy = endedBy
        self.endReason = endReason
        self.review = review
        self.reviewedBy = reviewedBy
        self.note = note
        self.text = text
        self.delivery = delivery
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("id", id)
        members.add("status", status)
        members.add("person", person)
        members.add("hosts", .array(hosts.map(JSONValue.string)))
        members.add("login", login)
        members.add("sudo", .bool(wantsSudo))
        members.add("duration", duration)
        members.add("reason", reason)
        members.add("ticket", ticket)
        members.add("rule", rule)
        members.add("breakGlass", .bool(isBreakGlass))
        members.add("created", created)
        members.add("expires", expires)
        members.add("grantedUntil", grantedUntil)
        members.add("approvers", .array(approvers.map(JSONValue.string)))
        members.add("needed", needed)
        members.add("mayApprove", mayApprove)
        members.add("endedBy", endedBy)
        members.add("endReason", endReason)
        members.add("review", review)
        members.add("reviewedBy", reviewedBy)
        members.add("note", note)
        members.add("text", text)
        if !delivery.isEmpty { members.add("delivery", .array(delivery.map(\.json))) }
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "request")
        id = try fields.needText("id")
        // It becomes part of paths and of what is signed.
        guard id.utf8.count == 32, id.utf8.allSatisfy("0123456789abcdef".utf8.contains) else {
            throw ControlProtocolError(.invalidValue, "request: id: 32 hexadecimal digits expected")
        }
        status = try fields.needText("status")
        person = try fields.needText("person")
        hosts = try fields.takeTexts("hosts") ?? []
        login = try fields.needText("login")
        wantsSudo = try fields.takeFlag("sudo") ?? false
        duration = try fields.need("duration", try fields.takeNumber("duration"))
        reason = try fields.takeText("reason") ?? ""
        ticket = try fields.takeText("ticket")
        rule = try fields.takeText("rule") ?? ""
        isBreakGlass = try fields.takeFlag("breakGlass") ?? false
        created = try fields.takeNumber("created") ?? 0
        expires = try fields.takeNumber("expires") ?? 0
        grantedUntil = try fields.takeNumber("grantedUntil")
        approvers = try fields.takeTexts("approvers") ?? []
        needed = try fields.takeNumber("needed") ?? 1
        mayApprove = try fields.takeText("mayApprove") ?? ""
        endedBy = try fields.takeText("endedBy")
        endReason = try fields.takeText("endReason")
        review = try fields.takeText("review")
        reviewedBy = try fields.takeText("reviewedBy")
        note = try fields.takeText("note")
        text = try fields.needText("text")
        delivery = []
        for item in try fields.takeArray("delivery") ?? [] { delivery.append(try HostDelivery(json: item)) }
    }
}
