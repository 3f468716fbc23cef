// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// What one host has made of a grant, as far as the control plane has heard.
public struct HostDelivery: Sendable, Hashable {
    public enum State: String, Sendable, CaseIterable {
        /// It has not said that it has it.
        case pending
        /// It has said that the grant is in place.
        case delivered
        /// It did not give the grant; it is asked again.
        case refused
        /// No agent of it has joined: certificates alone open it, where its sshd takes them.
        case unmanaged
        /// The grant is over, and the host has not said that it is gone.
        case removing
        /// The grant is over and gone there.
        case removed
    }

    /// The host's id.
    public var host: String
    public var state: State
    /// Why it is as it is, in the host's words or the server's; nil where there is nothing to say.
    public var reason: String?

    public init(host: String, state: State, reason: String? = nil) {
        self.host = host
        self.state = state
        self.reason = reason
    }

    public var json: JSONValue {
        var members = JSONMembers()
        members.add("host", host)
        members.add("state", state.rawValue)
        members.add("reason", reason)
        return members.value
    }

    public init(json: JSONValue) throws(ControlProtocolError) {
        var fields = try JSONFields(json, "delivery")
        host = try fields.needText("host")
        let text = try fields.needText("state")
        guard let state = State(rawValue: text) else {
            throw ControlProtocolError(.invalidValue, "delivery: state: a word that is not known")
        }
        self.state = state
        reason = try fields.takeText("reason")
    }
}
