// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol

/// Something that the agent does beside keeping sessions: the check for drift, the reader of sshd's messages.
///
/// All calls come from the agent's one loop and must not wait for anything: while one runs, no login is recorded.
public protocol ServicePart: AnyObject {
    /// What it is called where it fails.
    var name: String { get }
    /// The descriptors that it wants to read from; asked for anew before each wait.
    var descriptors: [Int32] { get }

    /// Some of its descriptors are readable.
    ///
    /// - Returns: what is to be recorded. Sessions' opens and closes go through ``SessionTracker`` like the hook's.
    func ready(_ descriptors: [Int32], at moment: Moment) throws(AgentError) -> [SessionEvent]

    /// About a second has passed; the first call is at the start.
    func tick(at moment: Moment) throws(AgentError) -> [SessionEvent]

    /// Settings are to be read again (SIGHUP).
    func reload() throws(AgentError)
}

extension ServicePart {
    public var descriptors: [Int32] { [] }
    public func ready(_ descriptors: [Int32], at moment: Moment) throws(AgentError) -> [SessionEvent] { [] }
    public func tick(at moment: Moment) throws(AgentError) -> [SessionEvent] { [] }
    public func reload() throws(AgentError) {}
}
