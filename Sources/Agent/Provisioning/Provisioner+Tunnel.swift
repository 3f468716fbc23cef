// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ControlProtocol

/// What the control plane asks for through the tunnel is what `daypass-agent command` does.
extension Provisioner: HostOperations {
    public func perform(_ call: HostCall, dryRun: Bool) -> HostOutcome {
        let result = perform(call.data, dryRun: dryRun, at: .now)
        return HostOutcome(success: result.success, message: result.message, output: result.output)
    }
}
