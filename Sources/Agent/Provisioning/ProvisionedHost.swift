// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol
import SSHWire

/// The operations of this host, as the tunnel calls them.
public struct ProvisionedHost: HostOperations {
    private let provisioner: Provisioner
    private let agentVersion: String
    private let hostName: String

    public init(_ provisioner: Provisioner, agentVersion: String, hostName: String) {
        self.provisioner = provisioner
        self.agentVersion = agentVersion
        self.hostName = hostName
    }

    public func perform(_ call: HostCall, dryRun: Bool) -> HostOutcome {
        let moment = Moment.now
        let result = provisioner.perform(call.data, dryRun: dryRun, at: moment)
        guard call.command == HostOperation.Kind.status.rawValue, result.success else { return result }
        // Whoever asks how the host is also learns which agent says so.
        let state = HostState(agentVersion: agentVersion, hostName: hostName, dryRun: dryRun, at: moment)
        var members: [JSONValue.Member] = []
        if case .object(let own) = state.value { members += own }
        let text = result.output ?? ""
        if case .object(let found)? = try? JSONValue(
            parsing: Array(text.utf8), maximumBytes: text.utf8.count)
        {
            members += found
        }
        return HostOutcome(
            success: true, message: "daypass-agent \(agentVersion): \(result.message)",
            output: JSONValue.object(members).text)
    }
}
