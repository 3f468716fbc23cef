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
    /// Those of ``descriptors`` that it wants to write to as well.
    var writing: [Int32] { get }
    /// When it wants to be called though nothing has come, by the clock of ``Moment/boot`` in nanoseconds; nil when a
    /// ``tick(at:)`` will do.
    var dueAt: UInt64? { get }

    /// Some of its descriptors are readable or, where it wanted that, writable.
    ///
    /// - Returns: what is to be recorded. Sessions' opens and closes go through ``SessionTracker`` like the hook's.
    func ready(_ descriptors: [Int32], at moment: Moment) throws(AgentError) -> [SessionEvent]

    /// About a second has passed; the first call is at the start.
    func tick(at moment: Moment) throws(AgentError) -> [SessionEvent]

    /// The time that ``dueAt`` said has come.
    func due(at moment: Moment) throws(AgentError) -> [SessionEvent]

    /// All events that were returned so far are durable.
    func recorded()

    /// Settings are to be read again (SIGHUP).
    func reload() throws(AgentError)

    /// The agent ends. This may take seconds, as reports go to the spool meanwhile.
    func stop(at moment: Moment)
}

extension ServicePart {
    public var descriptors: [Int32] { [] }
    public var writing: [Int32] { [] }
    public var dueAt: UInt64? { nil }
    public func due(at moment: Moment) throws(AgentError) -> [SessionEvent] { [] }
    public func ready(_ descriptors: [Int32], at moment: Moment) throws(AgentError) -> [SessionEvent] { [] }
    public func tick(at moment: Moment) throws(AgentError) -> [SessionEvent] { [] }
    public func recorded() {}
    public func reload() throws(AgentError) {}
    public func stop(at moment: Moment) {}
}
